import type { ByteChannel } from '#shared/engine/channel.ts';
import { ExchangeError } from '#shared/http/exchange.ts';
import type { CoarseTimers } from '#shared/lifecycle/coarse-timers.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { PoolLimits } from './attempt.ts';
import { SharedUse } from './shared-use.ts';

export interface PoolOptions {
  /** Rejects with a `ChannelError`. */
  readonly connect: () => Promise<ByteChannel>;
  readonly timers: CoarseTimers;
  /** Nobody waits longer for a connection. */
  readonly queueTimeoutMs: number;
}

/** What a connection counts against, and when it was made (monotonic ms). */
interface Made {
  readonly shared: SharedUse;
  readonly atMs: number;
}

/** The connections of one pool, those being made included, as its limits count them. */
export class PoolConnections<Connection> {
  /** Of the last request; undefined before the first. */
  limits: PoolLimits | undefined;
  readonly #options: PoolOptions;
  readonly #made = new Map<Connection, Made>();
  #connecting = 0;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** Those being made are not in it. */
  get made(): number {
    return this.#made.size;
  }

  get connecting(): number {
    return this.#connecting;
  }

  get size(): number {
    return this.#made.size + this.#connecting;
  }

  [Symbol.iterator](): Iterator<Connection> {
    return this.#made.keys();
  }

  /** Whatever the service's bound, an endpoint gets a first connection: those who wait for it would wait in vain. */
  get mayConnect(): boolean {
    const { limits, size } = this;
    if (limits === undefined || size >= limits.maxConnections) return false;
    return size === 0 || !limits.shared.connectionsFull;
  }

  /** `onChannel` calls `add`: until then nobody counts the connection. */
  connect(
    onChannel: (channel: ByteChannel, shared: SharedUse) => void,
    onFailure: (error: ExchangeError) => void,
  ): void {
    const shared = this.limits?.shared ?? new SharedUse();
    this.#connecting++;
    shared.connections++;
    this.#options.connect().then(
      channel => {
        this.#connecting--;
        onChannel(channel, shared);
      },
      (cause: unknown) => {
        this.#connecting--;
        shared.connections--;
        onFailure(connectFailure(cause));
      },
    );
  }

  /** @param shared what it was given with its channel */
  add(connection: Connection, shared: SharedUse): void {
    this.#made.set(connection, { shared, atMs: this.#options.timers.clock.monotonic() });
  }

  remove(connection: Connection): void {
    const made = this.#made.get(connection);
    if (made !== undefined) made.shared.connections--;
    this.#made.delete(connection);
  }

  /** It has carried as many requests, or is as old, as the limits allow. */
  isUsedUp(connection: Connection, requests: number): boolean {
    const { maxConnectionDurationMs, maxRequestsPerConnection } = this.limits ?? {};
    if (maxRequestsPerConnection !== undefined && requests >= maxRequestsPerConnection) return true;
    if (maxConnectionDurationMs === undefined || maxConnectionDurationMs === Number.POSITIVE_INFINITY)
      return false;
    const madeAtMs = this.#made.get(connection)?.atMs ?? 0;
    return this.#options.timers.clock.monotonic() - madeAtMs >= maxConnectionDurationMs;
  }
}

export function connectFailure(cause: unknown): ExchangeError {
  const message = errorMessage(cause);
  return new ExchangeError('connect_failure', message, { cause });
}
