import { type ByteChannel, ChannelError, type SocketEndpoint } from '#shared/engine/channel.ts';
import {
  type ClientExchange,
  ExchangeError,
  type RequestHead,
  type ResponseHead,
} from '#shared/http/exchange.ts';
import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import { formatHostPort } from '#shared/workload/ip.ts';
import { isStaleConnection } from '../retry/policy.ts';
import type { PoolLimits, UpstreamAttempt, UpstreamPool } from './attempt.ts';
import { ExchangeChannel } from './exchange-channel.ts';
import type { SharedUse } from './shared-use.ts';

/** A forward proxy has answered, and not with a tunnel. */
export class TunnelRefusedError extends ChannelError {
  readonly status: number;

  constructor(status: number, message: string) {
    super('connect_refused', message);
    this.name = 'TunnelRefusedError';
    this.status = status;
  }
}

/** An idle connection had been closed when it was used: another one may fare better. */
export class StaleConnectionError extends ChannelError {
  constructor(message: string) {
    super('reset', message);
    this.name = 'StaleConnectionError';
  }
}

/** One request for a tunnel, and what it carries once it is open. */
export class TunnelAttempt implements UpstreamAttempt {
  readonly head: RequestHead;
  readonly endStream = false;
  readonly fresh: boolean;
  waitingIn: object | undefined;
  waitingUnder: SharedUse | undefined;
  waitingSinceMs = 0;
  readonly #proxy: SocketEndpoint;
  readonly #opened = Promise.withResolvers<ByteChannel>();
  #pool: UpstreamPool | undefined;
  #timer: Timer | undefined;
  #exchange: ClientExchange | undefined;
  #reused = false;
  #channel: ExchangeChannel | undefined;
  #over = false;

  /** @param proxy who is asked, for messages */
  constructor(head: RequestHead, proxy: SocketEndpoint, fresh: boolean) {
    this.head = head;
    this.#proxy = proxy;
    this.fresh = fresh;
  }

  /** Once. Rejects with a `ChannelError`. */
  open(pool: UpstreamPool, limits: PoolLimits, clock: Clock, timeoutMs: number): Promise<ByteChannel> {
    this.#pool = pool;
    this.#timer = clock.setTimer(timeoutMs, () => this.#giveUp(timeoutMs));
    pool.start(this, limits);
    return this.#opened.promise;
  }

  onExchange(exchange: ClientExchange, reused: boolean): void {
    this.#exchange = exchange;
    this.#reused = reused;
    if (this.#over) exchange.abort(new ExchangeError('cancelled', 'given up while connecting'));
  }

  onNoExchange(error: ExchangeError): void {
    this.#fail(this.#errorOf(error));
  }

  onInformational(): void {}

  onResponse({ status }: ResponseHead): void {
    if (this.#over || this.#exchange === undefined) return;
    if (status < 200 || status >= 300) {
      this.#fail(new TunnelRefusedError(status, this.#explain(`answered with ${status}`)));
      this.#exchange.abort(new ExchangeError('cancelled', 'there is no tunnel'));
      return;
    }
    this.#conclude();
    this.#channel = new ExchangeChannel(this.#exchange, this.#proxy);
    this.#opened.resolve(this.#channel);
  }

  onBody(slice: Buffer): boolean {
    return this.#channel === undefined || this.#channel.onBody(slice);
  }

  onBodyEnd(): void {
    this.#channel?.onBodyEnd();
  }

  onAbort(error: ExchangeError): void {
    if (this.#channel === undefined) this.#fail(this.#errorOf(error));
    else this.#channel.onAbort(error);
  }

  onWritable(): void {
    this.#channel?.onWritable();
  }

  #giveUp(timeoutMs: number): void {
    this.#fail(new ChannelError('connect_timeout', this.#explain(`no answer within ${timeoutMs} ms`)));
    if (this.#exchange === undefined) this.#pool?.cancel(this);
    else this.#exchange.abort(new ExchangeError('cancelled', 'it took too long'));
  }

  #errorOf({ cause, code, message }: ExchangeError): ChannelError {
    const text = this.#explain(message);
    const outcome = { kind: 'error', code, reusedConnection: this.#reused, requestSent: true } as const;
    if (isStaleConnection(outcome)) return new StaleConnectionError(text);
    return new ChannelError(cause instanceof ChannelError ? cause.code : 'protocol', text, { cause });
  }

  #explain(what: string): string {
    const { authority, method } = this.head;
    const { ip, port } = this.#proxy;
    return `${method} ${authority} through the proxy ${formatHostPort(ip, port)}: ${what}`;
  }

  #fail(error: ChannelError): void {
    if (this.#over) return;
    this.#conclude();
    this.#opened.reject(error);
  }

  /** What becomes of it is known. */
  #conclude(): void {
    this.#over = true;
    this.#timer?.cancel();
  }
}
