import type { ByteChannel } from '#shared/engine/channel.ts';
import { ExchangeError } from '#shared/http/exchange.ts';
import { openExchange } from '#shared/http2/client-exchange.ts';
import { Http2Connection } from '#shared/http2/connection.ts';
import type { Http2Options } from '#shared/http2/options.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import type { PoolLimits, UpstreamAttempt, UpstreamPool } from './attempt.ts';
import { noConnection } from './no-connection.ts';
import { PoolConnections, type PoolOptions } from './pool-connections.ts';
import type { SharedUse } from './shared-use.ts';
import { WaitingAttempts } from './waiting-attempts.ts';

/** A session takes this many streams before another one is opened, whatever the peer allows. */
const STREAMS_PER_CONNECTION = 100;

/** HTTP/2 sessions (prior knowledge): requests share the first that has room. */
export class Http2Pool implements UpstreamPool {
  readonly #clock: Clock;
  readonly #connections: PoolConnections<Http2Connection>;
  /** In the order in which they were made, as an array: a request looks through them. */
  readonly #sessions: Http2Connection[] = [];
  readonly #waiting: WaitingAttempts;
  #closed = false;

  constructor(options: PoolOptions) {
    this.#connections = new PoolConnections(options);
    const { queueTimeoutMs, timers } = options;
    this.#clock = timers.clock;
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
    if (limits.idleTimeoutMs !== undefined) this.reap(this.#clock.monotonic(), limits.idleTimeoutMs);
    const session = this.#available(attempt);
    if (session !== undefined) {
      this.#send(session, attempt);
      return;
    }
    if (!this.#waiting.add(attempt, limits)) {
      // While the queue fails fast one connection is being tried all the same, by which it recovers.
      const { connecting, mayConnect } = this.#connections;
      if (this.#waiting.failsFast && connecting === 0 && mayConnect) this.#connect();
      return;
    }
    if (this.#awaitsSettings(attempt)) return;
    const enough = this.#connections.connecting * this.#streamsPerConnection >= this.#waiting.size;
    if (!enough && this.#connections.mayConnect) this.#connect();
  }

  get #streamsPerConnection(): number {
    const { limits } = this.#connections;
    return Math.min(STREAMS_PER_CONNECTION, limits?.maxStreamsPerConnection ?? STREAMS_PER_CONNECTION);
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
    const idleSinceMs = nowMs - (this.#connections.limits?.idleTimeoutMs ?? idleTimeoutMs);
    for (const session of this.#sessions) {
      if (session.openStreams === 0 && session.idleSinceMs < idleSinceMs) session.drain();
    }
  }

  #available(attempt: UpstreamAttempt): Http2Connection | undefined {
    const { head } = attempt;
    // By index: an iterator would be one object more for each request.
    for (let i = 0; i < this.#sessions.length; i++) {
      const session = this.#sessions[i];
      if (session === undefined) break;
      if (session.state === 'open' && session.openedTotal > 0 && session.channel.isRetiring === true) {
        // It may be gone from the list now.
        session.drain();
        return this.#available(attempt);
      }
      // Whether a server takes upgrades stands in its SETTINGS (RFC 8441 §3).
      if (head.upgrade !== undefined && !session.ready) continue;
      if (session.canOpenStream && session.openStreams < this.#streamsPerConnection) return session;
    }
    return undefined;
  }

  /** A session is there that may take it. */
  #awaitsSettings({ head }: UpstreamAttempt): boolean {
    return (
      head.upgrade !== undefined && this.#sessions.some(({ ready, state }) => state === 'open' && !ready)
    );
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
    if (this.#connections.isUsedUp(session, session.openedTotal)) session.drain();
  }

  #connect(): void {
    this.#connections.connect(
      (channel, shared) => this.#connected(channel, shared),
      error => this.#failed(error),
    );
  }

  #connected(channel: ByteChannel, shared: SharedUse): void {
    this.#waiting.recover();
    const session: Http2Connection = new Http2Connection(
      'client',
      channel,
      this.#clock,
      keepaliveOptions(this.#connections.limits),
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
    this.#connections.add(session, shared);
    this.#serveWaiting();
    if (this.#closed) session.drain();
  }

  #serveWaiting(): void {
    for (let { first } = this.#waiting; first !== undefined; first = this.#waiting.first) {
      const session = this.#available(first);
      if (session === undefined) return;
      this.#waiting.remove(first);
      this.#send(session, first);
    }
  }

  /** Those who wait for room on a session that takes no more streams would wait for its last one to end. */
  #replaceDraining(): void {
    if (this.#waiting.size > 0 && this.#connections.connecting === 0 && !this.#hasOpenSession())
      this.#connect();
  }

  #hasOpenSession(): boolean {
    return this.#sessions.some(session => session.state === 'open');
  }

  #lost(session: Http2Connection): void {
    const index = this.#sessions.indexOf(session);
    if (index >= 0) this.#sessions.splice(index, 1);
    this.#connections.remove(session);
    this.#replaceDraining();
  }

  /** Nothing came of the one connection all were waiting for. */
  #failed(error: ExchangeError): void {
    if (this.#connections.connecting === 0 && !this.#hasOpenSession()) this.#waiting.failAll(error);
    else this.#waiting.next()?.onNoExchange(error);
  }
}

/** One object for all connections: what is made of options is remembered by it. */
const CODEC_DEFAULTS: Partial<Http2Options> = {};

function keepaliveOptions(limits: PoolLimits | undefined): Partial<Http2Options> {
  const keepalive = limits?.keepalive;
  return keepalive === undefined
    ? CODEC_DEFAULTS
    : { pingIntervalMs: keepalive.intervalMs, pingTimeoutMs: keepalive.timeoutMs };
}
