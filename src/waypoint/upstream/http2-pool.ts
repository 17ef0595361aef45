import type { ByteChannel } from '#shared/engine/channel.ts';
import { ExchangeError } from '#shared/http/exchange.ts';
import { openExchange } from '#shared/http2/client-exchange.ts';
import { Http2Connection } from '#shared/http2/connection.ts';
import type { Http2Options } from '#shared/http2/options.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import type { PoolLimits, UpstreamAttempt, UpstreamPool } from './attempt.ts';
import type { PoolOptions } from './http1-pool.ts';
import { noConnection } from './no-connection.ts';
import { SharedUse } from './shared-use.ts';
import { WaitingAttempts } from './waiting-attempts.ts';

/** A session takes this many streams before another one is opened, whatever the peer allows. */
const STREAMS_PER_CONNECTION = 100;

/** HTTP/2 sessions (prior knowledge): requests share the first that has room. */
export class Http2Pool implements UpstreamPool {
  readonly #options: PoolOptions;
  readonly #clock: Clock;
  readonly #sessions: Http2Connection[] = [];
  readonly #made = new Map<Http2Connection, { readonly shared: SharedUse; readonly atMs: number }>();
  readonly #waiting: WaitingAttempts;
  #connecting = 0;
  #closed = false;
  #limits: PoolLimits | undefined;

  constructor(options: PoolOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    const { queueTimeoutMs, timers } = options;
    this.#waiting = new WaitingAttempts(timers, queueTimeoutMs, () =>
      noConnection(queueTimeoutMs, this.#sessions.length),
    );
  }

  get connections(): number {
    return this.#sessions.length + this.#connecting;
  }

  get pending(): number {
    return this.#waiting.size;
  }

  start(attempt: UpstreamAttempt, limits: PoolLimits): void {
    this.#limits = limits;
    const session = this.#available();
    if (session !== undefined) {
      this.#send(session, attempt);
      return;
    }
    if (!this.#waiting.add(attempt, limits)) {
      // While the queue fails fast one connection is being tried all the same, by which it recovers.
      if (this.#waiting.failsFast && this.#connecting === 0 && this.#mayConnect(limits)) this.#connect();
      return;
    }
    const enough = this.#connecting * this.#streamsPerConnection >= this.#waiting.size;
    if (!enough && this.#mayConnect(limits)) this.#connect();
  }

  /** Whatever the service's bound, an endpoint gets a first connection: those who wait for it would wait in vain. */
  #mayConnect({ maxConnections, shared }: PoolLimits): boolean {
    if (this.connections >= maxConnections) return false;
    return this.connections === 0 || !shared.connectionsFull;
  }

  get #streamsPerConnection(): number {
    return Math.min(STREAMS_PER_CONNECTION, this.#limits?.maxStreamsPerConnection ?? STREAMS_PER_CONNECTION);
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

  reap(nowMs: number, idleTimeoutMs: number): void {
    const idleSinceMs = nowMs - (this.#limits?.idleTimeoutMs ?? idleTimeoutMs);
    for (const session of this.#sessions) {
      if (session.openStreams === 0 && session.lastActivityMs < idleSinceMs) session.drain();
    }
  }

  #available(): Http2Connection | undefined {
    for (const session of this.#sessions) {
      if (session.canOpenStream && session.openStreams < this.#streamsPerConnection) return session;
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
    if (this.#isUsedUp(session)) session.drain();
  }

  #isUsedUp(session: Http2Connection): boolean {
    const { maxConnectionDurationMs, maxRequestsPerConnection } = this.#limits ?? {};
    if (maxRequestsPerConnection !== undefined && session.openedTotal >= maxRequestsPerConnection)
      return true;
    if (maxConnectionDurationMs === undefined || maxConnectionDurationMs === Number.POSITIVE_INFINITY)
      return false;
    return this.#clock.monotonic() - (this.#made.get(session)?.atMs ?? 0) >= maxConnectionDurationMs;
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
    this.#waiting.recover();
    const session: Http2Connection = new Http2Connection(
      'client',
      channel,
      this.#clock,
      keepaliveOptions(this.#limits),
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
    this.#made.set(session, { shared, atMs: this.#clock.monotonic() });
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
    const made = this.#made.get(session);
    if (made !== undefined) made.shared.connections--;
    this.#made.delete(session);
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

function keepaliveOptions(limits: PoolLimits | undefined): Partial<Http2Options> {
  const keepalive = limits?.keepalive;
  return keepalive === undefined
    ? {}
    : { pingIntervalMs: keepalive.intervalMs, pingTimeoutMs: keepalive.timeoutMs };
}
