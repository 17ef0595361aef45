import { formatHostPort } from '#shared/workload/ip.ts';
import { type PoolRow, PoolSets } from './pool-sets.ts';
import type { ClientEnds } from './proxy-header.ts';

/** A connection of a client, and what endpoints that ask for it are told of it. Known by its object. */
export interface PoolClient {
  readonly ends: ClientEnds;
}

export interface ClientPoolRow extends PoolRow {
  /** Whose connections they are. */
  readonly client: string;
}

/** Clients of one thread whose connections are kept; as many as one endpoint's pool has connections. */
const MAX_CLIENTS = 4096;

/**
 * Pools of connections that belong to one client each, since they begin with its address. They live as long as the client's
 * own connection. Past a bound the connections of whoever has asked nothing for longest are used up.
 */
export class ClientPools {
  readonly #maxClients: number;
  /** The one that asked last is last. */
  readonly #byClient = new Map<PoolClient, PoolSets>();

  constructor(maxClients = MAX_CLIENTS) {
    this.#maxClients = maxClients;
  }

  get size(): number {
    return this.#byClient.size;
  }

  of(client: PoolClient): PoolSets {
    const known = this.#byClient.get(client);
    if (known !== undefined) this.#byClient.delete(client);
    else if (this.#byClient.size >= this.#maxClients) this.#retireOldest();
    const pools = known ?? new PoolSets();
    this.#byClient.set(client, pools);
    return pools;
  }

  /** The client's connection has ended. */
  leave(client: PoolClient): void {
    const pools = this.#byClient.get(client);
    if (pools === undefined) return;
    this.#byClient.delete(client);
    pools.retire();
  }

  evict(uid: string): void {
    for (const pools of this.#byClient.values()) pools.evict(uid);
  }

  retire(): void {
    for (const pools of this.#byClient.values()) pools.retire();
    this.#byClient.clear();
  }

  close(): void {
    for (const pools of this.#byClient.values()) pools.close();
    this.#byClient.clear();
  }

  reap(nowMs: number, idleTimeoutMs: number): void {
    for (const [client, pools] of this.#byClient)
      if (!pools.reap(nowMs, idleTimeoutMs)) this.#byClient.delete(client);
  }

  rows(): ClientPoolRow[] {
    return [...this.#byClient].flatMap(([{ ends }, pools]) => {
      const client = formatHostPort(ends.source.ip, ends.source.port);
      return pools.rows().map(row => ({ ...row, client }));
    });
  }

  #retireOldest(): void {
    const [oldest] = this.#byClient.keys();
    if (oldest !== undefined) this.leave(oldest);
  }
}
