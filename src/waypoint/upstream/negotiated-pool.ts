import type { ByteChannel } from '#shared/engine/channel.ts';
import { ChannelError } from '#shared/engine/channel.ts';
import { ExchangeError } from '#shared/http/exchange.ts';
import type { PoolLimits, UpstreamAttempt, UpstreamPool } from './attempt.ts';
import { Http1Pool } from './http1-pool.ts';
import { Http2Pool } from './http2-pool.ts';
import { noConnection } from './no-connection.ts';
import { connectFailure, type PoolOptions } from './pool-connections.ts';
import type { SharedUse } from './shared-use.ts';
import { WaitingAttempts } from './waiting-attempts.ts';

/** A connection whose server has chosen what to speak. */
export interface NegotiatedChannel extends ByteChannel {
  /** '' where it chose nothing: HTTP/1.1 then. */
  readonly alpn: string;
}

export interface NegotiatedPoolOptions extends Omit<PoolOptions, 'connect'> {
  /** Offers HTTP/2 and HTTP/1.1. Rejects with a `ChannelError`. */
  readonly connect: () => Promise<NegotiatedChannel>;
}

type Protocol = 'http1' | 'http2';

/**
 * Connections whose protocol the server chooses in the handshake (ALPN). The first one decides for all; a server that later
 * chooses another is asked anew.
 */
export class NegotiatedPool implements UpstreamPool {
  readonly #options: NegotiatedPoolOptions;
  readonly #waiting: WaitingAttempts;
  #connecting = false;
  #closed = false;
  #limits: PoolLimits | undefined;
  #chosen: UpstreamPool | undefined;
  /** The connection that decided, until the pool it made asks for one. */
  #first: NegotiatedChannel | undefined;

  constructor(options: NegotiatedPoolOptions) {
    this.#options = options;
    const { queueTimeoutMs, timers } = options;
    this.#waiting = new WaitingAttempts(timers, queueTimeoutMs, () => noConnection(queueTimeoutMs, 0));
  }

  get connections(): number {
    return (this.#chosen?.connections ?? 0) + (this.#connecting ? 1 : 0);
  }

  get pending(): number {
    return (this.#chosen?.pending ?? 0) + this.#waiting.size;
  }

  start(attempt: UpstreamAttempt, limits: PoolLimits): void {
    if (this.#chosen !== undefined) {
      this.#chosen.start(attempt, limits);
      return;
    }
    this.#limits = limits;
    const waits = this.#waiting.add(attempt, limits);
    // While the queue fails fast one connection is being tried all the same, by which it recovers.
    if (!this.#connecting && (waits || this.#waiting.failsFast)) this.#negotiate(limits.shared);
  }

  cancel(attempt: UpstreamAttempt): void {
    this.#waiting.remove(attempt);
    this.#chosen?.cancel(attempt);
  }

  retire(): void {
    this.#closed = true;
    this.#chosen?.retire();
  }

  close(): void {
    this.#closed = true;
    this.#chosen?.close();
    this.#waiting.failAll(new ExchangeError('connect_failure', 'the endpoint is gone'));
  }

  reap(nowMs: number, idleTimeoutMs: number): void {
    this.#chosen?.reap(nowMs, idleTimeoutMs);
  }

  #negotiate(shared: SharedUse): void {
    this.#connecting = true;
    shared.connections++;
    this.#options.connect().then(
      channel => {
        this.#connecting = false;
        // The pool of the protocol counts it from here on.
        shared.connections--;
        this.#waiting.recover();
        this.#choose(channel);
      },
      (cause: unknown) => {
        this.#connecting = false;
        shared.connections--;
        this.#waiting.failAll(connectFailure(cause));
      },
    );
  }

  #choose(channel: NegotiatedChannel): void {
    const limits = this.#limits;
    const first = this.#waiting.next();
    if (first === undefined || limits === undefined) {
      channel.abort(new ChannelError('aborted', 'nobody waits for it any more'));
      return;
    }
    const protocol = protocolOf(channel);
    this.#first = channel;
    const options = { ...this.#options, connect: () => this.#connect(protocol) };
    const pool = protocol === 'http2' ? new Http2Pool(options) : new Http1Pool(options);
    this.#chosen = pool;
    for (let next: typeof first | undefined = first; next !== undefined; next = this.#waiting.next())
      pool.start(next, limits);
    if (this.#closed) pool.retire();
  }

  async #connect(protocol: Protocol): Promise<ByteChannel> {
    const first = this.#first;
    this.#first = undefined;
    if (first !== undefined) return first;
    const channel = await this.#options.connect();
    if (protocolOf(channel) === protocol) return channel;
    const error = new ChannelError('protocol', `the server spoke ${protocol} before and now chooses another`);
    channel.abort(error);
    this.#chosen?.retire();
    this.#chosen = undefined;
    throw error;
  }
}

function protocolOf({ alpn }: NegotiatedChannel): Protocol {
  return alpn === 'h2' ? 'http2' : 'http1';
}
