import type { BalancedEndpoint } from '../balance/endpoint.ts';
import type { UpstreamPool } from './attempt.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

/** Pools of connections made in one way to one port of one workload. */
export interface PoolSet {
  http1: UpstreamPool | undefined;
  http2: UpstreamPool | undefined;
  negotiated: UpstreamPool | undefined;
  readonly port: number;
}

/** What the admin page shows of a pool. */
export interface PoolRow {
  readonly workload: string;
  readonly port: number;
  readonly protocol: string;
  readonly connections: number;
  readonly pending: number;
}

const PROTOCOLS = ['http1', 'http2', 'negotiated'] as const;

/** Pools by workload, port, and the way their connections are made. */
export class PoolSets {
  /** uid → port and way (`UpstreamConnection.key`) → pools. */
  readonly #byUid = new Map<string, Map<string, PoolSet>>();
  /** The same by the balancer's object, of which each upstream has its own: a request finds its pool without building a key. */
  #byEndpoint = new WeakMap<BalancedEndpoint, PoolSet>();

  of(endpoint: BalancedEndpoint, connection: UpstreamConnection): PoolSet {
    let pools = this.#byEndpoint.get(endpoint);
    if (pools === undefined) this.#byEndpoint.set(endpoint, (pools = this.#find(endpoint, connection)));
    return pools;
  }

  /** The workload is gone or is another one now: nothing of it is used again. */
  evict(uid: string): void {
    const ways = this.#byUid.get(uid);
    if (ways === undefined) return;
    this.#byUid.delete(uid);
    this.#byEndpoint = new WeakMap();
    for (const pools of ways.values()) for (const protocol of PROTOCOLS) pools[protocol]?.close();
  }

  /** What is there is used up, and not used again. */
  retire(): void {
    this.#byEndpoint = new WeakMap();
    for (const ways of this.#byUid.values()) {
      for (const pools of ways.values()) for (const protocol of PROTOCOLS) pools[protocol]?.retire();
    }
    this.#byUid.clear();
  }

  close(): void {
    for (const uid of this.#byUid.keys()) this.evict(uid);
  }

  /** @returns whether there is any connection, or anybody who waits for one */
  reap(nowMs: number, idleTimeoutMs: number): boolean {
    let isUsed = false;
    for (const ways of this.#byUid.values()) isUsed = this.#reap(ways, nowMs, idleTimeoutMs) || isUsed;
    return isUsed;
  }

  rows(): PoolRow[] {
    const rows: PoolRow[] = [];
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

  #find({ targetPort: port, uid }: BalancedEndpoint, { key }: UpstreamConnection): PoolSet {
    let ways = this.#byUid.get(uid);
    if (ways === undefined) this.#byUid.set(uid, (ways = new Map<string, PoolSet>()));
    const way = `${port} ${key}`;
    let pools = ways.get(way);
    if (pools === undefined)
      ways.set(way, (pools = { http1: undefined, http2: undefined, negotiated: undefined, port }));
    return pools;
  }

  /** A way that nobody uses any more goes: policies change, and workloads stay. */
  #reap(ways: Map<string, PoolSet>, nowMs: number, idleTimeoutMs: number): boolean {
    let isUsed = false;
    for (const [way, pools] of ways) {
      const wayIsUsed = reapSet(pools, nowMs, idleTimeoutMs);
      isUsed ||= wayIsUsed;
      if (wayIsUsed || ways.size === 1) continue;
      ways.delete(way);
      this.#byEndpoint = new WeakMap();
    }
    return isUsed;
  }
}

function reapSet(pools: PoolSet, nowMs: number, idleTimeoutMs: number): boolean {
  let isUsed = false;
  for (const protocol of PROTOCOLS) {
    const pool = pools[protocol];
    pool?.reap(nowMs, idleTimeoutMs);
    isUsed ||= pool !== undefined && pool.connections + pool.pending > 0;
  }
  return isUsed;
}
