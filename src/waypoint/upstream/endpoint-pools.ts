import { type ByteChannel, ChannelError } from '#shared/engine/channel.ts';
import type { Engine } from '#shared/engine/engine.ts';
import type { HbonePool } from '#shared/hbone/session-pool.ts';
import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import type { CoarseTimers } from '#shared/lifecycle/coarse-timers.ts';
import { workloadIdentity } from '#shared/workload/workload.ts';
import type { BalancedEndpoint } from '../balance/endpoint.ts';
import { HBONE_PORT } from '../ports.ts';
import type { UpstreamPool } from './attempt.ts';
import { Http1Pool } from './http1-pool.ts';
import { Http2Pool } from './http2-pool.ts';

export type UpstreamProtocol = 'http1' | 'http2';

export interface EndpointPoolsOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly timers: CoarseTimers;
  readonly hbone: HbonePool;
  /** The waypoint's own SPIFFE id. */
  readonly identity: string;
  readonly connectTimeoutMs: number;
  /** An idle connection is closed after this. */
  readonly idleTimeoutMs: number;
  /** Nobody waits longer for a connection. */
  readonly queueTimeoutMs: number;
}

interface PoolPair {
  http1: UpstreamPool | undefined;
  http2: UpstreamPool | undefined;
}

/** All upstream connections of one thread, by workload, port and protocol. */
export class EndpointPools {
  readonly #options: EndpointPoolsOptions;
  /** uid → port → pools. */
  readonly #byUid = new Map<string, Map<number, PoolPair>>();
  /** The same by the balancer's object: a request finds its pool without building a key. */
  #byEndpoint = new WeakMap<BalancedEndpoint, PoolPair>();
  #reaper: Timer | undefined;

  constructor(options: EndpointPoolsOptions) {
    this.#options = options;
  }

  get(
    endpoint: BalancedEndpoint,
    protocol: UpstreamProtocol,
    connectTimeoutMs: number | undefined,
  ): UpstreamPool {
    let pair = this.#byEndpoint.get(endpoint);
    if (pair === undefined) this.#byEndpoint.set(endpoint, (pair = this.#pair(endpoint)));
    const pool = pair[protocol];
    return pool ?? (pair[protocol] = this.#makePool(endpoint, protocol, connectTimeoutMs));
  }

  /** A connection of its own, for plain TCP. Rejects with a `ChannelError`. */
  connect(endpoint: BalancedEndpoint, connectTimeoutMs?: number): Promise<ByteChannel> {
    const { engine, hbone, identity } = this.#options;
    const timeoutMs = connectTimeoutMs ?? this.#options.connectTimeoutMs;
    const { workload, targetPort } = endpoint;
    const [ip] = workload.addresses;
    if (ip === undefined) {
      return Promise.reject(new ChannelError('unreachable', `workload ${workload.uid} has no address`));
    }
    if (workload.tunnelProtocol === 'none')
      return engine.connect({ remote: { ip, port: targetPort }, timeoutMs });
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
    const ports = this.#byUid.get(uid);
    if (ports === undefined) return;
    this.#byUid.delete(uid);
    this.#byEndpoint = new WeakMap();
    for (const pair of ports.values()) closePair(pair);
  }

  /** The waypoint has another certificate: connections made with the old one are used up, not used again. */
  renew(): void {
    this.#byEndpoint = new WeakMap();
    for (const ports of this.#byUid.values()) {
      for (const { http1, http2 } of ports.values()) {
        http1?.retire();
        http2?.retire();
      }
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
    for (const [workload, ports] of this.#byUid) {
      for (const [port, { http1, http2 }] of ports) {
        for (const [protocol, pool] of [
          ['http1', http1],
          ['http2', http2],
        ] as const) {
          if (pool !== undefined)
            rows.push({ workload, port, protocol, connections: pool.connections, pending: pool.pending });
        }
      }
    }
    return rows;
  }

  #pair(endpoint: BalancedEndpoint): PoolPair {
    let ports = this.#byUid.get(endpoint.uid);
    if (ports === undefined) this.#byUid.set(endpoint.uid, (ports = new Map<number, PoolPair>()));
    let pair = ports.get(endpoint.targetPort);
    if (pair === undefined) ports.set(endpoint.targetPort, (pair = { http1: undefined, http2: undefined }));
    return pair;
  }

  #makePool(
    endpoint: BalancedEndpoint,
    protocol: UpstreamProtocol,
    connectTimeoutMs: number | undefined,
  ): UpstreamPool {
    const { clock, queueTimeoutMs, timers } = this.#options;
    const options = { timers, queueTimeoutMs, connect: () => this.connect(endpoint, connectTimeoutMs) };
    if (this.#reaper === undefined) this.#startReaper();
    return protocol === 'http1' ? new Http1Pool(options) : new Http2Pool(options, clock);
  }

  #startReaper(): void {
    const { clock, idleTimeoutMs } = this.#options;
    this.#reaper = clock.setTimer(idleTimeoutMs / 4, () => {
      const nowMs = clock.monotonic();
      for (const ports of this.#byUid.values()) {
        for (const { http1, http2 } of ports.values()) {
          http1?.reap(nowMs, idleTimeoutMs);
          http2?.reap(nowMs, idleTimeoutMs);
        }
      }
      this.#startReaper();
    });
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

function closePair({ http1, http2 }: PoolPair): void {
  http1?.close();
  http2?.close();
}
