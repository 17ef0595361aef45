import type { ByteChannel } from '#shared/engine/channel.ts';
import { ExchangeError } from '#shared/http/exchange.ts';
import { Http1ClientConnection, type Http1ClientHandler } from '#shared/http1/client-connection.ts';
import type { CoarseTimers } from '#shared/lifecycle/coarse-timers.ts';
import type { PoolLimits, UpstreamAttempt, UpstreamPool } from './attempt.ts';
import { WaitingAttempts } from './waiting-attempts.ts';

export interface PoolOptions {
  /** Rejects with a `ChannelError`. */
  readonly connect: () => Promise<ByteChannel>;
  readonly timers: CoarseTimers;
}

/** HTTP/1.1 keep-alive connections: the last one used is used first, so that the others may grow idle and go. */
export class Http1Pool implements UpstreamPool, Http1ClientHandler {
  readonly #options: PoolOptions;
  readonly #idle: Http1ClientConnection[] = [];
  readonly #idleSince: number[] = [];
  readonly #all = new Set<Http1ClientConnection>();
  readonly #waiting = new WaitingAttempts();
  #connecting = 0;
  #closed = false;
  #maxConnections = Number.POSITIVE_INFINITY;
  #maxRequestsPerConnection = Number.POSITIVE_INFINITY;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  get connections(): number {
    return this.#all.size + this.#connecting;
  }

  get pending(): number {
    return this.#waiting.size;
  }

  start(attempt: UpstreamAttempt, limits: PoolLimits): void {
    this.#maxConnections = limits.maxConnections;
    this.#maxRequestsPerConnection = limits.maxRequestsPerConnection;
    const connection = this.#idle.pop();
    if (connection !== undefined) {
      this.#idleSince.pop();
      this.#send(connection, attempt);
      return;
    }
    if (!this.#waiting.add(attempt, limits)) return;
    // One connection for each that waits: the first to become free serves the first in line, whichever it is.
    this.#connectIfNeeded();
  }

  cancel(attempt: UpstreamAttempt): void {
    this.#waiting.remove(attempt);
  }

  retire(): void {
    this.#closed = true;
    for (const connection of this.#all) connection.close();
  }

  close(): void {
    this.retire();
    this.#waiting.failAll(new ExchangeError('connect_failure', 'the endpoint is gone'));
  }

  reap(idleSinceMs: number): void {
    let old = 0;
    while (old < this.#idle.length && (this.#idleSince[old] ?? 0) < idleSinceMs) old++;
    this.#idleSince.splice(0, old);
    for (const connection of this.#idle.splice(0, old)) connection.close();
  }

  onIdle(connection: Http1ClientConnection): void {
    if (connection.requests >= this.#maxRequestsPerConnection) {
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
    if (this.#connecting < this.#waiting.size && this.connections < this.#maxConnections) this.#connect();
  }

  #connect(): void {
    this.#connecting++;
    this.#options.connect().then(
      channel => this.#connected(channel),
      (error: unknown) => this.#failed(error),
    );
  }

  #connected(channel: ByteChannel): void {
    this.#connecting--;
    const connection = new Http1ClientConnection(channel, this.#options.timers, this);
    this.#all.add(connection);
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
