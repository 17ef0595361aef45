import type { SocketEndpoint } from '../engine/channel.ts';
import type { Engine, TcpChannel, TlsContext } from '../engine/engine.ts';
import type { Http2Options } from '../http2/options.ts';
import type { BackoffOptions } from '../lifecycle/backoff.ts';
import type { Clock } from '../lifecycle/clock.ts';

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
  /** Is told of each session; by default nobody is. */
  readonly sessions?: SessionPlaces;
}

/** Keeps count of the sessions of a pool. */
export interface SessionPlaces {
  /** One begins to connect. */
  opened(): void;
  /** It is over. */
  closed(): void;
  /** Whether one that carries nothing may stay open, until its idle timeout. */
  mayIdle(): boolean;
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
