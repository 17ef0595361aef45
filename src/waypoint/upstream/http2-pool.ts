import type { ByteChannel } from '#shared/engine/channel.ts';
import { ExchangeError } from '#shared/http/exchange.ts';
import { openExchange } from '#shared/http2/client-exchange.ts';
import { Http2Connection } from '#shared/http2/connection.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import type { PoolLimits, UpstreamAttempt, UpstreamPool } from './attempt.ts';
import type { PoolOptions } from './http1-pool.ts';
import { WaitingAttempts } from './waiting-attempts.ts';

/** A session takes this many streams before another one is opened, whatever the peer allows. */
const STREAMS_PER_CONNECTION = 100;

/** HTTP/2 sessions (prior knowledge): requests share the first that has room. */
export class Http2Pool implements UpstreamPool {
  readonly #options: PoolOptions;
  readonly #clock: Clock;
  readonly #sessions: Http2Connection[] = [];
  readonly #waiting = new WaitingAttempts();
  #connecting = 0;
  #closed = false;
  #maxRequestsPerConnection = Number.POSITIVE_INFINITY;

  constructor(options: PoolOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  get connections(): number {
    return this.#sessions.length + this.#connecting;
  }

  get pending(): number {
    return this.#waiting.size;
  }

  start(attempt: UpstreamAttempt, limits: PoolLimits): void {
    this.#maxRequestsPerConnection = limits.maxRequestsPerConnection;
    const session = this.#available();
    if (session !== undefined) {
      this.#send(session, attempt);
      return;
    }
    if (!this.#waiting.add(attempt, limits)) return;
    const enough = this.#connecting * STREAMS_PER_CONNECTION >= this.#waiting.size;
    if (!enough && this.connections < limits.maxConnections) this.#connect();
  }

  cancel(attempt: UpstreamAttempt): void {
    this.#waiting.remove(attempt);
  }

  retire(): void {
    this.#closed = true;
    for (const session of this.#sessions) session.drain();
  }

  close(): void {
    this.retire();
    this.#waiting.failAll(new ExchangeError('connect_failure', 'the endpoint is gone'));
  }

  reap(idleSinceMs: number): void {
    for (const session of this.#sessions) {
      if (session.openStreams === 0 && session.lastActivityMs < idleSinceMs) session.drain();
    }
  }

  #available(): Http2Connection | undefined {
    for (const session of this.#sessions) {
      if (session.canOpenStream && session.openStreams < STREAMS_PER_CONNECTION) return session;
    }
    return undefined;
  }

  #send(session: Http2Connection, attempt: UpstreamAttempt): void {
    const reused = session.openedTotal > 0;
    try {
      attempt.onExchange(openExchange(session, attempt.head, attempt.endStream, attempt), reused);
    } catch (error) {
      if (!(error instanceof ExchangeError)) throw error;
      attempt.onNoExchange(error);
      return;
    }
    if (session.openedTotal >= this.#maxRequestsPerConnection) session.drain();
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
    const session: Http2Connection = new Http2Connection(
      'client',
      channel,
      this.#clock,
      {},
      {
        // Pushes are refused by our SETTINGS; the codec never calls this on a client.
        onStream: () => {
          throw new ExchangeError('protocol_error', 'a server opened a stream');
        },
        onGoaway: () => this.#replaceDraining(),
        onCapacity: () => this.#serveWaiting(),
        onClose: () => this.#lost(session),
      },
    );
    this.#sessions.push(session);
    this.#serveWaiting();
    if (this.#closed) session.drain();
  }

  #serveWaiting(): void {
    while (this.#waiting.size > 0) {
      const session = this.#available();
      const attempt = session === undefined ? undefined : this.#waiting.next();
      if (session === undefined || attempt === undefined) return;
      this.#send(session, attempt);
    }
  }

  /** Those who wait for room on a session that takes no more streams would wait for its last one to end. */
  #replaceDraining(): void {
    if (this.#waiting.size > 0 && this.#connecting === 0 && !this.#hasOpenSession()) this.#connect();
  }

  #hasOpenSession(): boolean {
    return this.#sessions.some(session => session.state === 'open');
  }

  #lost(session: Http2Connection): void {
    const index = this.#sessions.indexOf(session);
    if (index >= 0) this.#sessions.splice(index, 1);
    this.#replaceDraining();
  }

  /** Nothing came of the one connection all were waiting for. */
  #failed(cause: unknown): void {
    this.#connecting--;
    const message = cause instanceof Error ? cause.message : String(cause);
    const error = new ExchangeError('connect_failure', message, { cause });
    if (this.#connecting === 0 && !this.#hasOpenSession()) this.#waiting.failAll(error);
    else this.#waiting.next()?.onNoExchange(error);
  }
}
