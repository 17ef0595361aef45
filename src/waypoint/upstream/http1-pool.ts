import type { ByteChannel } from '#shared/engine/channel.ts';
import { ExchangeError } from '#shared/http/exchange.ts';
import { Http1ClientConnection, type Http1ClientHandler } from '#shared/http1/client-connection.ts';
import type { PoolLimits, UpstreamAttempt, UpstreamPool } from './attempt.ts';
import { noConnection } from './no-connection.ts';
import { PoolConnections, type PoolOptions } from './pool-connections.ts';
import type { SharedUse } from './shared-use.ts';
import { WaitingAttempts } from './waiting-attempts.ts';

/** HTTP/1.1 keep-alive connections: the last one used is used first, so that the others may grow idle and go. */
export class Http1Pool implements UpstreamPool, Http1ClientHandler {
  readonly #options: PoolOptions;
  readonly #idle: Http1ClientConnection[] = [];
  readonly #idleSince: number[] = [];
  readonly #connections: PoolConnections<Http1ClientConnection>;
  readonly #waiting: WaitingAttempts;
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#connections = new PoolConnections(options);
    const { queueTimeoutMs, timers } = options;
    this.#waiting = new WaitingAttempts(timers, queueTimeoutMs, () =>
      noConnection(queueTimeoutMs, this.#connections.made),
    );
  }

  get connections(): number {
    return this.#connections.size;
  }

  get pending(): number {
    return this.#waiting.size;
  }

  start(attempt: UpstreamAttempt, limits: PoolLimits): void {
    this.#connections.limits = limits;
    // What has been idle for longer than the policy says is not used, whenever it would be reaped.
    if (limits.idleTimeoutMs !== undefined)
      this.reap(this.#options.timers.clock.monotonic(), limits.idleTimeoutMs);
    const connection = attempt.fresh ? undefined : this.#takeIdle();
    if (connection !== undefined) {
      this.#send(connection, attempt);
      return;
    }
    if (!this.#waiting.add(attempt, limits)) {
      // While the queue fails fast one connection is being tried all the same, by which it recovers.
      const { connecting, mayConnect } = this.#connections;
      if (this.#waiting.failsFast && connecting === 0 && mayConnect) this.#connect();
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
    for (const connection of this.#connections) connection.close();
  }

  close(): void {
    this.retire();
    this.#waiting.failAll(new ExchangeError('connect_failure', 'the endpoint is gone'));
  }

  reap(nowMs: number, idleTimeoutMs: number): void {
    const idleSinceMs = nowMs - (this.#connections.limits?.idleTimeoutMs ?? idleTimeoutMs);
    let old = 0;
    while (old < this.#idle.length && (this.#idleSince[old] ?? 0) < idleSinceMs) old++;
    if (old === 0) return;
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
    this.#connections.remove(connection);
    const index = this.#idle.indexOf(connection);
    if (index >= 0) {
      this.#idle.splice(index, 1);
      this.#idleSince.splice(index, 1);
    }
    // Those who waited for this one to become free need another.
    this.#connectIfNeeded();
  }

  /** @returns one that may carry a request; those whose carrier is going away are closed. */
  #takeIdle(): Http1ClientConnection | undefined {
    for (;;) {
      const connection = this.#idle.pop();
      this.#idleSince.pop();
      if (connection?.channel.isRetiring !== true) return connection;
      connection.close();
    }
  }

  /** A first request is sent whatever becomes of the carrier: another connection might fare no better. */
  #isUsedUp(connection: Http1ClientConnection): boolean {
    const { channel, requests } = connection;
    return this.#connections.isUsedUp(connection, requests) || (requests > 0 && channel.isRetiring === true);
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
    if (this.#connections.connecting < this.#waiting.size && this.#connections.mayConnect) this.#connect();
  }

  #connect(): void {
    this.#connections.connect(
      (channel, shared) => this.#connected(channel, shared),
      error => this.#failed(error),
    );
  }

  #connected(channel: ByteChannel, shared: SharedUse): void {
    const connection = new Http1ClientConnection(channel, this.#options.timers, this);
    this.#connections.add(connection, shared);
    this.onIdle(connection);
  }

  /** Each failed connection costs one request its try: the others may fare better. */
  #failed(error: ExchangeError): void {
    this.#waiting.next()?.onNoExchange(error);
    // At the limit of connections more wait than connections were being made.
    this.#connectIfNeeded();
  }
}
