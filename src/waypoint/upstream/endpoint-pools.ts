import { type ByteChannel, ChannelError } from '#shared/engine/channel.ts';
import type { Engine, SecureChannel, TcpChannel } from '#shared/engine/engine.ts';
import type { HbonePool } from '#shared/hbone/session-pool.ts';
import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import type { CoarseTimers } from '#shared/lifecycle/coarse-timers.ts';
import { workloadIdentity } from '#shared/workload/workload.ts';
import type { BalancedEndpoint } from '../balance/endpoint.ts';
import { HBONE_PORT } from '../ports.ts';
import type { UpstreamPool } from './attempt.ts';
import { Http1Pool } from './http1-pool.ts';
import { Http2Pool } from './http2-pool.ts';
import { type NegotiatedChannel, NegotiatedPool } from './negotiated-pool.ts';
import { type OriginatedTls, tlsTowards } from './originated-tls.ts';
import type { SecureUpstream } from './secure-upstream.ts';
import { AS_CONFIGURED, type UpstreamConnection } from './upstream-connection.ts';

export type UpstreamProtocol = 'http1' | 'http2';
/** `negotiated`: what the server chooses in the TLS handshake. */
export type PoolProtocol = UpstreamProtocol | 'negotiated';

export interface EndpointPoolsOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly timers: CoarseTimers;
  readonly hbone: HbonePool;
  /** TLS of the waypoint's own. */
  readonly secure: SecureUpstream;
  /** The waypoint's own SPIFFE id. */
  readonly identity: string;
  readonly connectTimeoutMs: number;
  /** An idle connection is closed after this. */
  readonly idleTimeoutMs: number;
  /** Nobody waits longer for a connection. */
  readonly queueTimeoutMs: number;
}

/** Connections made in one way to one port of one workload. */
interface PoolSet {
  http1: UpstreamPool | undefined;
  http2: UpstreamPool | undefined;
  negotiated: UpstreamPool | undefined;
  readonly port: number;
}

const PROTOCOLS = ['http1', 'http2', 'negotiated'] as const;
const ALPN = { http1: ['http/1.1'], http2: ['h2'], negotiated: ['h2', 'http/1.1'] } as const;
const NO_ALPN: readonly string[] = [];

/** All upstream connections of one thread, by workload, port, the way they are made, and protocol. */
export class EndpointPools {
  readonly #options: EndpointPoolsOptions;
  /** uid → port and way (`UpstreamConnection.key`) → pools. */
  readonly #byUid = new Map<string, Map<string, PoolSet>>();
  /** The same by the balancer's object, of which each upstream has its own: a request finds its pool without building a key. */
  #byEndpoint = new WeakMap<BalancedEndpoint, PoolSet>();
  #reaper: Timer | undefined;

  constructor(options: EndpointPoolsOptions) {
    this.#options = options;
  }

  get(endpoint: BalancedEndpoint, protocol: PoolProtocol, connection: UpstreamConnection): UpstreamPool {
    let pools = this.#byEndpoint.get(endpoint);
    if (pools === undefined) this.#byEndpoint.set(endpoint, (pools = this.#pools(endpoint, connection)));
    const pool = pools[protocol];
    return pool ?? (pools[protocol] = this.#makePool(endpoint, protocol, connection));
  }

  /** A connection of its own, for plain TCP. Rejects with a `ChannelError`. */
  connect(endpoint: BalancedEndpoint, connection: UpstreamConnection = AS_CONFIGURED): Promise<ByteChannel> {
    return this.#connect(endpoint, connection, NO_ALPN);
  }

  #connect(
    endpoint: BalancedEndpoint,
    connection: UpstreamConnection,
    alpn: readonly string[],
  ): Promise<ByteChannel> {
    const { workload } = endpoint;
    const tls = tlsTowards(workload, connection);
    if (tls !== undefined) return this.#secured(endpoint, connection, tls, alpn);
    const timeoutMs = connection.connectTimeoutMs ?? this.#options.connectTimeoutMs;
    return workload.tunnelProtocol === 'none'
      ? this.#dial(endpoint, timeoutMs, connection)
      : this.#tunnel(endpoint, timeoutMs);
  }

  /** The deadline is of the handshake too. Who takes a tunnel is spoken TLS with inside of it. */
  async #secured(
    endpoint: BalancedEndpoint,
    connection: UpstreamConnection,
    tls: OriginatedTls,
    alpn: readonly string[],
  ): Promise<SecureChannel> {
    const { clock, secure } = this.#options;
    const timeoutMs = connection.connectTimeoutMs ?? this.#options.connectTimeoutMs;
    const startMs = clock.monotonic();
    const leftMs = (): number => timeoutMs - (clock.monotonic() - startMs);
    const context = secure.context(tls);
    const options = { alpn: tls.alpn.length > 0 ? tls.alpn : alpn, endpoint };
    if (endpoint.workload.tunnelProtocol === 'none') {
      const channel = await this.#dial(endpoint, timeoutMs, connection);
      return secure.handshake(channel, context, tls, options, leftMs());
    }
    const tunnel = await this.#tunnel(endpoint, timeoutMs);
    return secure.handshakeWithin(tunnel, context, tls, options, leftMs());
  }

  #dial(
    { targetPort: port, workload }: BalancedEndpoint,
    timeoutMs: number,
    { keepalive }: UpstreamConnection,
  ): Promise<TcpChannel> {
    const [ip] = workload.addresses;
    if (ip === undefined) return Promise.reject(addressless(workload.uid));
    return this.#options.engine.connect({ remote: { ip, port }, timeoutMs, keepalive });
  }

  #tunnel({ targetPort, workload }: BalancedEndpoint, timeoutMs: number): Promise<ByteChannel> {
    const { hbone, identity } = this.#options;
    const [ip] = workload.addresses;
    if (ip === undefined) return Promise.reject(addressless(workload.uid));
    const target = {
      sourceIdentity: identity,
      destinationIdentities: [workloadIdentity(workload)],
      remote: { ip, port: HBONE_PORT },
      workloadUid: workload.uid,
      request: { host: ip, port: targetPort },
    };
    return this.#withTimeout(timeoutMs, signal => hbone.connect(target, signal));
  }

  /** The workload is gone or is another one now: nothing of it is used again. */
  evict(uid: string): void {
    const ways = this.#byUid.get(uid);
    if (ways === undefined) return;
    this.#byUid.delete(uid);
    this.#byEndpoint = new WeakMap();
    for (const pools of ways.values()) for (const protocol of PROTOCOLS) pools[protocol]?.close();
  }

  /** The waypoint has another certificate: connections made with the old one are used up, not used again. */
  renew(): void {
    this.#byEndpoint = new WeakMap();
    for (const ways of this.#byUid.values()) {
      for (const pools of ways.values()) for (const protocol of PROTOCOLS) pools[protocol]?.retire();
    }
    this.#byUid.clear();
  }

  close(): void {
    for (const uid of this.#byUid.keys()) this.evict(uid);
    this.#reaper?.cancel();
    this.#reaper = undefined;
  }

  /** For the admin page: uid, port, protocol, connections and requests that wait. */
  dump(): readonly object[] {
    const rows: object[] = [];
    for (const [workload, ways] of this.#byUid) {
      for (const pools of ways.values()) {
        for (const protocol of PROTOCOLS) {
          const pool = pools[protocol];
          if (pool === undefined) continue;
          const { connections, pending } = pool;
          rows.push({ workload, port: pools.port, protocol, connections, pending });
        }
      }
    }
    return rows;
  }

  #pools({ targetPort: port, uid }: BalancedEndpoint, { key }: UpstreamConnection): PoolSet {
    let ways = this.#byUid.get(uid);
    if (ways === undefined) this.#byUid.set(uid, (ways = new Map<string, PoolSet>()));
    const way = `${port} ${key}`;
    let pools = ways.get(way);
    if (pools === undefined)
      ways.set(way, (pools = { http1: undefined, http2: undefined, negotiated: undefined, port }));
    return pools;
  }

  #makePool(
    endpoint: BalancedEndpoint,
    protocol: PoolProtocol,
    connection: UpstreamConnection,
  ): UpstreamPool {
    const { queueTimeoutMs, timers } = this.#options;
    const connect = (): Promise<ByteChannel> => this.#connect(endpoint, connection, ALPN[protocol]);
    const options = { timers, queueTimeoutMs, connect };
    if (this.#reaper === undefined) this.#startReaper();
    switch (protocol) {
      case 'http1':
        return new Http1Pool(options);
      case 'http2':
        return new Http2Pool(options);
      case 'negotiated':
        return new NegotiatedPool({ ...options, connect: () => this.#negotiate(endpoint, connection) });
    }
  }

  #negotiate(endpoint: BalancedEndpoint, connection: UpstreamConnection): Promise<NegotiatedChannel> {
    const tls = tlsTowards(endpoint.workload, connection);
    return tls === undefined
      ? Promise.reject(new ChannelError('protocol', 'without TLS there is nothing to negotiate'))
      : this.#secured(endpoint, connection, tls, ALPN.negotiated);
  }

  #startReaper(): void {
    const { clock, idleTimeoutMs } = this.#options;
    this.#reaper = clock.setTimer(idleTimeoutMs / 4, () => {
      const nowMs = clock.monotonic();
      for (const ways of this.#byUid.values()) this.#reap(ways, nowMs);
      this.#startReaper();
    });
  }

  /** A way that nobody uses any more goes: policies change, and workloads stay. */
  #reap(ways: Map<string, PoolSet>, nowMs: number): void {
    for (const [way, pools] of ways) {
      let isUsed = false;
      for (const protocol of PROTOCOLS) {
        const pool = pools[protocol];
        pool?.reap(nowMs, this.#options.idleTimeoutMs);
        isUsed ||= pool !== undefined && pool.connections + pool.pending > 0;
      }
      if (isUsed || ways.size === 1) continue;
      ways.delete(way);
      this.#byEndpoint = new WeakMap();
    }
  }

  async #withTimeout<T>(timeoutMs: number, connect: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    const reason = new ChannelError('connect_timeout', `no tunnel within ${timeoutMs} ms`);
    const timer = this.#options.clock.setTimer(timeoutMs, () => controller.abort(reason));
    try {
      return await connect(controller.signal);
    } finally {
      timer.cancel();
    }
  }
}

function addressless(uid: string): ChannelError {
  return new ChannelError('unreachable', `workload ${uid} has no address`);
}
