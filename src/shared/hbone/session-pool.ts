import type { BackoffOptions } from '../lifecycle/backoff.ts';
import type { Clock } from '../lifecycle/clock.ts';
import type { ByteChannel, SocketEndpoint } from '../engine/channel.ts';
import { ChannelError } from '../engine/channel.ts';
import type { Engine, TcpChannel, TlsContext } from '../engine/engine.ts';
import type { Http2Options } from '../http2/options.ts';
import type { ConnectRequestInit } from './connect-request.ts';

/** Where a tunnel goes and who must be there. */
export interface HboneTarget {
  /** SPIFFE id we present. */
  readonly sourceIdentity: string;
  /** SPIFFE ids of which the peer must prove one; never empty. */
  readonly destinationIdentities: readonly string[];
  /** Address that is dialled: the destination's, port 15008. */
  readonly remote: SocketEndpoint;
  /** Uid of the workload (or waypoint) expected there: a recycled pod IP never gets an old session. */
  readonly workloadUid: string;
  readonly request: ConnectRequestInit;
}

/** An open tunnel (the 200 has arrived). */
export interface HboneTunnel extends ByteChannel {
  /** The id the peer proved. */
  readonly peerIdentity: string;
}

/** The peer answered the CONNECT with something other than 200. Code `policy` for 401, `unreachable` for the rest. */
export class ConnectRefusedError extends ChannelError {
  readonly status: number;

  constructor(status: number, message: string) {
    super(status === 401 || status === 403 ? 'policy' : 'unreachable', message);
    this.name = 'ConnectRefusedError';
    this.status = status;
  }
}

export interface HbonePoolOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  /** In [0, 1); for backoff jitter. */
  readonly random: () => number;
  /** Makes the TCP connection (in the source pod's network namespace, marked). Must honour the signal. */
  readonly dial: (remote: SocketEndpoint, signal: AbortSignal) => Promise<TcpChannel>;
  /** The certificate of a source identity as it is now; called for every handshake. */
  readonly tlsContext: (sourceIdentity: string, signal: AbortSignal) => Promise<TlsContext> | TlsContext;
  /** Default 100. */
  readonly maxStreamsPerConnection?: number;
  /** A session with no stream is closed after this. Default 5 min. */
  readonly idleTimeoutMs?: number;
  /** From the call of `connect` to the 200. Default 10 s. */
  readonly connectTimeoutMs?: number;
  /** Callers that wait for a session, over all keys. Default 10,000; above it `connect` rejects `resource_exhausted`. */
  readonly maxWaiters?: number;
  /** After a failed handshake or dial, per key. Default 100 ms doubling to 5 s, ±20 %. */
  readonly backoff?: BackoffOptions;
  readonly http2?: Partial<Http2Options>;
}

/** One live session, for `config_dump` and tests. */
export interface HboneSessionInfo {
  readonly sourceIdentity: string;
  readonly peerIdentity: string;
  readonly remote: SocketEndpoint;
  readonly workloadUid: string;
  readonly state: 'connecting' | 'ready' | 'draining';
  readonly openStreams: number;
  readonly openedTotal: number;
}

/**
 * HBONE client sessions of one local workload (its sockets are made in its own network namespace, so pods do not share
 * a pool). Key: source identity, destination identities, destination address, destination workload uid.
 */
export class HbonePool {
  readonly #options: HbonePoolOptions;

  constructor(options: HbonePoolOptions) {
    this.#options = options;
  }

  /**
   * Opens a tunnel, over a ready session where there is one. Resolves when the peer has answered 200.
   * Rejects with `ConnectRefusedError` (the peer's answer) or another `ChannelError` (`connect_refused`,
   * `connect_timeout`, `unreachable`, `tls_handshake`, `timeout`, `resource_exhausted`, `aborted`, `drain`).
   */
  connect(target: HboneTarget, signal?: AbortSignal): Promise<HboneTunnel> {
    void [target, signal, this.#options];
    return Promise.reject(new ChannelError('io', 'not built yet'));
  }

  /** The workload is gone (pod deleted, IP recycled): no session to it is used again; open tunnels end in their time. */
  evictWorkload(workloadUid: string): void {
    void workloadUid;
  }

  /** A source identity's certificate changed: new tunnels get a new handshake, old sessions drain. */
  evictIdentity(sourceIdentity: string): void {
    void sourceIdentity;
  }

  sessions(): readonly HboneSessionInfo[] {
    return [];
  }

  /** Refuses new tunnels and lets open ones end; resolves when the last session is closed. `close` ends the wait. */
  drain(): Promise<void> {
    return Promise.resolve();
  }

  /** Aborts every session and waiter at once. Idempotent. */
  close(reason: ChannelError): void {
    void reason;
  }
}
