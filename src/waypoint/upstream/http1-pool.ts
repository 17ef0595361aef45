import type { ByteChannel } from '#shared/engine/channel.ts';
import { ExchangeError } from '#shared/http/exchange.ts';
import { Http1ClientConnection, type Http1ClientHandler } from '#shared/http1/client-connection.ts';
import type { CoarseTimers } from '#shared/lifecycle/coarse-timers.ts';
import type { PoolLimits, UpstreamAttempt, UpstreamPool } from './attempt.ts';
import { noConnection } from './no-connection.ts';
import { SharedUse } from './shared-use.ts';
import { WaitingAttempts } from './waiting-attempts.ts';

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

/** HTTP/1.1 keep-alive connections: the last one used is used first, so that the others may grow idle and go. */
export class Http1Pool implements UpstreamPool, Http1ClientHandler {
  readonly #options: PoolOptions;
  readonly #idle: Http1ClientConnection[] = [];
  readonly #idleSince: number[] = [];
  readonly #all = new Map<Http1ClientConnection, Made>();
  readonly #waiting: WaitingAttempts;
  #connecting = 0;
  #closed = false;
  #limits: PoolLimits | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
    const { queueTimeoutMs, timers } = options;
    this.#waiting = new WaitingAttempts(timers, queueTimeoutMs, () =>
      noConnection(queueTimeoutMs, this.#all.size),
    );
  }

  get connections(): number {
    return this.#all.size + this.#connecting;
  }

  get pending(): number {
    return this.#waiting.size;
  }

  start(attempt: UpstreamAttempt, limits: PoolLimits): void {
    this.#limits = limits;
    const connection = attempt.fresh ? undefined : this.#idle.pop();
    if (connection !== undefined) {
      this.#idleSince.pop();
      this.#send(connection, attempt);
      return;
    }
    if (!this.#waiting.add(attempt, limits)) {
      // While the queue fails fast one connection is being tried all the same, by which it recovers.
      if (this.#waiting.failsFast && this.#connecting === 0 && this.#mayConnect()) this.#connect();
      return;
    }
    // One connection for each that waits: the first to become free serves the first in line, whichever it is.
    this.#connectIfNeeded();
  }

  cancel(attempt: UpstreamAttempt): void {
    this.#waiting.remove(attempt);
  }

  retire(): void {
    this.#closed = true;
    for (const connection of this.#all.keys()) connection.close();
  }

  close(): void {
    this.retire();
    this.#waiting.failAll(new ExchangeError('connect_failure', 'the endpoint is gone'));
  }

  reap(nowMs: number, idleTimeoutMs: number): void {
    const idleSinceMs = nowMs - (this.#limits?.idleTimeoutMs ?? idleTimeoutMs);
    let old = 0;
    while (old < this.#idle.length && (this.#idleSince[old] ?? 0) < idleSinceMs) old++;
    this.#idleSince.splice(0, old);
    for (const connection of this.#idle.splice(0, old)) connection.close();
  }

  onIdle(connection: Http1ClientConnection): void {
    this.#waiting.recover();
    if (this.#isUsedUp(connection)) {
      connection.close();
      return;
    }
    const next = this.#waiting.next();
    if (next !== undefined) {
      this.#send(connection, next);
      return;
    }
    if (this.#closed) {
      connection.close();
      return;
    }
    this.#idle.push(connection);
    this.#idleSince.push(this.#options.timers.clock.monotonic());
  }

  onClose(connection: Http1ClientConnection): void {
    const made = this.#all.get(connection);
    if (made !== undefined) made.shared.connections--;
    this.#all.delete(connection);
    const index = this.#idle.indexOf(connection);
    if (index >= 0) {
      this.#idle.splice(index, 1);
      this.#idleSince.splice(index, 1);
    }
    // Those who waited for this one to become free need another.
    this.#connectIfNeeded();
  }

  #send(connection: Http1ClientConnection, attempt: UpstreamAttempt): void {
    const reused = connection.requests > 0;
    try {
      attempt.onExchange(connection.request(attempt.head, attempt.endStream, attempt), reused);
    } catch (error) {
      if (!(error instanceof ExchangeError)) throw error;
      if (connection.idle) this.onIdle(connection);
      attempt.onNoExchange(error);
    }
  }

  #connectIfNeeded(): void {
    if (this.#connecting < this.#waiting.size && this.#mayConnect()) this.#connect();
  }

  /** Whatever the service's bound, an endpoint gets a first connection: those who wait for it would wait in vain. */
  #mayConnect(): boolean {
    const limits = this.#limits;
    if (limits === undefined || this.connections >= limits.maxConnections) return false;
    return this.connections === 0 || !limits.shared.connectionsFull;
  }

  #isUsedUp(connection: Http1ClientConnection): boolean {
    const { maxConnectionDurationMs, maxRequestsPerConnection } = this.#limits ?? {};
    if (maxRequestsPerConnection !== undefined && connection.requests >= maxRequestsPerConnection)
      return true;
    if (maxConnectionDurationMs === undefined || maxConnectionDurationMs === Number.POSITIVE_INFINITY)
      return false;
    const madeAtMs = this.#all.get(connection)?.atMs ?? 0;
    return this.#options.timers.clock.monotonic() - madeAtMs >= maxConnectionDurationMs;
  }

  #connect(): void {
    const shared = this.#limits?.shared ?? new SharedUse();
    this.#connecting++;
    shared.connections++;
    this.#options.connect().then(
      channel => this.#connected(channel, shared),
      (error: unknown) => {
        shared.connections--;
        this.#failed(error);
      },
    );
  }

  #connected(channel: ByteChannel, shared: SharedUse): void {
    this.#connecting--;
    const { timers } = this.#options;
    const connection = new Http1ClientConnection(channel, timers, this);
    this.#all.set(connection, { shared, atMs: timers.clock.monotonic() });
    this.onIdle(connection);
  }

  /** Each failed connection costs one request its try: the others may fare better. */
  #failed(cause: unknown): void {
    this.#connecting--;
    const message = cause instanceof Error ? cause.message : String(cause);
    this.#waiting.next()?.onNoExchange(new ExchangeError('connect_failure', message, { cause }));
    // At the limit of connections more wait than connections were being made.
    this.#connectIfNeeded();
  }
}
