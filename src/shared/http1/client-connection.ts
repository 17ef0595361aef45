import { type ByteChannel, ChannelError, type ChannelHandler } from '../engine/channel.ts';
import {
  type ClientExchange,
  type ClientExchangeSink,
  ExchangeError,
  type RequestHead,
  type ResponseHead,
} from '../http/exchange.ts';
import { asksForTunnel, opensTunnel } from '../http/tunnel.ts';
import type { CoarseTimers, Timed } from '../lifecycle/coarse-timers.ts';
import { BadMessage } from './bad-message.ts';
import { BodyDecoder } from './body-decoder.ts';
import { BodyEncoder } from './body-encoder.ts';
import { type ClientExchangeOwner, Http1ClientExchange } from './client-exchange.ts';
import { NO_FIELDS } from './field-section.ts';
import { DEFAULT_LIMITS, type Http1Limits } from './limits.ts';
import { renderRequest } from './request-head.ts';
import { ResponseParser } from './response-parser.ts';
import { UnsentRequest } from './unsent-request.ts';

/** Interim responses to one request; a server that sends more keeps us busy for nothing. */
const MAX_INTERIM = 32;

/** How long a server may take to close after us. */
const CLOSE_MS = 5_000;

export interface Http1ClientHandler {
  /** The exchange is over and the connection may carry the next one. Called before the sink hears of the end. */
  onIdle(connection: Http1ClientConnection): void;
  /** The connection takes no more requests; perhaps in the middle of an exchange, whose sink is told by itself. */
  onClose(connection: Http1ClientConnection, error: ChannelError | undefined): void;
}

/**
 * Client side of one HTTP/1.1 connection: one exchange at a time.
 *
 * What the sink's `onAbort` says of a connection that is lost: `connection_closed` when not one byte of a response had
 * arrived (a request on a reused connection that was closed meanwhile ends so: safe to repeat if idempotent), `reset` when
 * the response had begun, `refused_before_sending` when not one byte of the request had left. `request` throws that as well.
 */
export class Http1ClientConnection implements ChannelHandler, ClientExchangeOwner, Timed {
  deadlineAt = Number.POSITIVE_INFINITY;
  timedIndex = -1;
  readonly #channel: ByteChannel;
  readonly #handler: Http1ClientHandler;
  readonly #timers: CoarseTimers;
  readonly #parser: ResponseParser;
  readonly #body: BodyDecoder;
  readonly #encoder = new BodyEncoder();
  #phase: 'idle' | 'head' | 'body' | 'raw' | 'closed' = 'idle';
  #exchange: Http1ClientExchange | undefined;
  #keepAlive = true;
  #sinkBlocked = false;
  #interim = 0;
  #requests = 0;
  readonly #unsent: UnsentRequest;
  #closeReported = false;

  constructor(
    channel: ByteChannel,
    timers: CoarseTimers,
    handler: Http1ClientHandler,
    limits: Http1Limits = DEFAULT_LIMITS,
  ) {
    this.#channel = channel;
    this.#handler = handler;
    this.#timers = timers;
    this.#parser = new ResponseParser(limits);
    this.#body = new BodyDecoder(limits);
    this.#unsent = new UnsentRequest(channel);
    channel.setHandler(this);
  }

  get idle(): boolean {
    return this.#phase === 'idle';
  }

  /** Requests begun; more than one means that the connection was reused. */
  get requests(): number {
    return this.#requests;
  }

  get channel(): ByteChannel {
    return this.#channel;
  }

  /**
   * Sends a request head. The connection must be idle.
   * @param endStream no body follows (an upgrade or CONNECT is not an end: its bytes follow the response)
   * @throws ExchangeError `refused_before_sending` when the connection is not idle, `protocol_error` when the head cannot
   *   be sent; nothing was sent then
   */
  request(head: RequestHead, endStream: boolean, sink: ClientExchangeSink): ClientExchange {
    if (this.#phase !== 'idle') {
      throw new ExchangeError(
        'refused_before_sending',
        `connection is ${this.#phase === 'closed' ? 'closed' : 'busy'}`,
      );
    }
    const bytes = renderRequest(head, endStream, this.#encoder);
    const exchange = new Http1ClientExchange(head, sink, this, endStream);
    this.#exchange = exchange;
    this.#requests++;
    this.#interim = 0;
    this.#phase = 'head';
    this.#parser.reset();
    this.#unsent.begin(bytes.length);
    this.#channel.write(bytes);
    return exchange;
  }

  /** No more requests; an exchange under way is finished first. */
  close(): void {
    this.#keepAlive = false;
    if (this.#phase === 'idle') this.#shut();
  }

  // --- from the channel

  onData(slice: Buffer): void {
    const end = slice.length;
    let pos = 0;
    try {
      while (pos < end) {
        if (this.#phase === 'head') pos = this.#readHead(slice, pos, end);
        else if (this.#phase === 'body') pos = this.#readBody(slice, pos, end);
        else if (this.#phase === 'raw') {
          this.onBodyData(pos === 0 ? slice : slice.subarray(pos));
          pos = end;
        } else {
          // An answer nobody asked for: whoever gets this connection next would take it for his.
          if (this.#phase === 'idle')
            this.#give(new ChannelError('protocol', 'bytes from an idle server connection'));
          return;
        }
      }
    } catch (error) {
      if (!(error instanceof BadMessage)) throw error;
      this.#fail(new ExchangeError('protocol_error', `malformed response: ${error.message}`));
    }
  }

  onEnd(): void {
    if (this.#phase === 'raw') {
      this.#exchange?.sink.onBodyEnd(NO_FIELDS);
    } else if (this.#phase === 'body' && this.#body.untilClose) {
      this.#keepAlive = false;
      this.#finish();
    } else if (this.#exchange !== undefined) this.#fail(this.#lost(undefined));
    else this.#shut();
  }

  onDrain(): void {
    this.#exchange?.sink.onWritable();
  }

  onClose(error: ChannelError | undefined): void {
    this.#timers.remove(this);
    const raw = this.#phase === 'raw';
    this.#phase = 'closed';
    const exchange = this.#detach();
    this.#report(error);
    if (exchange === undefined || (raw && error === undefined)) return;
    exchange.sink.onAbort(this.#lostExchange(exchange, error));
  }

  onDeadline(): void {
    this.#channel.abort(new ChannelError('timeout', 'upstream did not close in time'));
  }

  // --- reading

  #readHead(slice: Buffer, pos: number, end: number): number {
    const parser = this.#parser;
    const next = parser.feed(slice, pos, end);
    if (!parser.complete) return next;
    const head = parser.take();
    const exchange = this.#exchange;
    if (exchange === undefined) return end;
    if (head.status < 200 && head.status !== 101) this.#interimResponse(exchange, head);
    else this.#finalResponse(exchange, head, next === end);
    return next;
  }

  #interimResponse(exchange: Http1ClientExchange, head: ResponseHead): void {
    if (++this.#interim > MAX_INTERIM) throw new BadMessage(502, 'too many interim responses');
    this.#parser.reset();
    exchange.sink.onInformational(head);
  }

  #finalResponse(exchange: Http1ClientExchange, head: ResponseHead, atEnd: boolean): void {
    const { request } = exchange;
    exchange.responseStarted = true;
    if (head.status === 101 || opensTunnel(request, head.status)) {
      this.#switchProtocol(exchange, head);
      return;
    }
    this.#startBody(request.method, head);
    const { fields, oldVersion } = this.#parser;
    if (fields.close || (oldVersion && !fields.keepAlive) || this.#body.untilClose) this.#keepAlive = false;
    // A tunnel that was declined has no body: the request is complete as it stands.
    if (asksForTunnel(request)) exchange.requestEnded = true;
    if (!this.#body.done) {
      exchange.sink.onResponse(head, false);
      return;
    }
    exchange.sink.onResponse(head, true);
    if (!atEnd) this.#keepAlive = false;
    this.#finish();
  }

  /** RFC 9112 §6.3, in its order. */
  #startBody(method: string, head: ResponseHead): void {
    const { fields } = this.#parser;
    this.#phase = 'body';
    if (method === 'HEAD' || head.status === 204 || head.status === 304) this.#body.startLength(0);
    else if (fields.chunked) this.#body.startChunked();
    else if (fields.contentLength >= 0) this.#body.startLength(fields.contentLength);
    else this.#body.startUntilClose();
  }

  #switchProtocol(exchange: Http1ClientExchange, head: ResponseHead): void {
    const { request } = exchange;
    const token = this.#parser.fields.upgrade?.toLowerCase();
    if (head.status === 101 && (request.upgrade === undefined || token !== request.upgrade.toLowerCase())) {
      throw new BadMessage(502, 'switches to a protocol that was not offered');
    }
    this.#phase = 'raw';
    this.#keepAlive = false;
    this.#encoder.startRaw();
    head.contentLength = undefined;
    exchange.sink.onResponse(head, false);
  }

  #readBody(slice: Buffer, pos: number, end: number): number {
    const next = this.#body.feed(slice, pos, end, this);
    if (this.#body.done && this.#phase === 'body') {
      if (next < end) this.#keepAlive = false;
      this.#finish();
    }
    return next;
  }

  onBodyData(slice: Buffer): void {
    if (this.#exchange?.sink.onBody(slice) !== false || this.#exchange === undefined || this.#sinkBlocked)
      return;
    this.#sinkBlocked = true;
    this.#channel.pause();
  }

  // --- from the exchange

  sendBody(exchange: Http1ClientExchange, slice: Uint8Array): boolean {
    if (exchange.requestEnded) return true;
    if (this.#encoder.fits(slice.length)) {
      this.#unsent.add(slice.length);
      return this.#encoder.write(this.#channel, slice);
    }
    this.#fail(new ExchangeError('protocol_error', 'request body longer than its Content-Length'));
    return true;
  }

  endBody(exchange: Http1ClientExchange, trailers: readonly string[] | undefined): void {
    if (exchange.requestEnded) return;
    if (!this.#encoder.complete) {
      this.#fail(new ExchangeError('protocol_error', 'request body shorter than its Content-Length'));
      return;
    }
    exchange.requestEnded = true;
    this.#encoder.end(this.#channel, trailers);
    if (this.#phase === 'raw') this.#channel.end();
  }

  abort(_exchange: Http1ClientExchange, error: ExchangeError): void {
    this.#detach();
    this.#give(new ChannelError('aborted', error.message, { cause: error }));
  }

  resumeBody(): void {
    if (!this.#sinkBlocked) return;
    this.#sinkBlocked = false;
    this.#channel.resume();
  }

  // --- the end of an exchange

  #finish(): void {
    const exchange = this.#detach();
    if (this.#keepAlive && exchange?.requestEnded === true) {
      this.#phase = 'idle';
      this.#handler.onIdle(this);
    } else if (exchange?.requestEnded === true) this.#shut();
    else this.#give(new ChannelError('aborted', 'answered before the request body was sent'));
    exchange?.sink.onBodyEnd(this.#body.trailers);
  }

  #fail(error: ExchangeError): void {
    const exchange = this.#detach();
    this.#give(new ChannelError('protocol', error.message, { cause: error }));
    exchange?.sink.onAbort(error);
  }

  #detach(): Http1ClientExchange | undefined {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    if (exchange !== undefined) exchange.owner = undefined;
    this.resumeBody();
    return exchange;
  }

  #lost(cause: ChannelError | undefined): ExchangeError {
    return this.#lostExchange(this.#exchange, cause);
  }

  #lostExchange(exchange: Http1ClientExchange | undefined, cause: ChannelError | undefined): ExchangeError {
    const begun = exchange?.responseStarted === true || !this.#parser.idle;
    if (!begun && this.#unsent.isWhole)
      return new ExchangeError('refused_before_sending', 'upstream closed before the request left', {
        cause,
      });
    return begun
      ? new ExchangeError('reset', 'upstream closed in the middle of a response', { cause })
      : new ExchangeError('connection_closed', 'upstream closed before a response', { cause });
  }

  #shut(): void {
    this.#phase = 'closed';
    this.#report(undefined);
    this.#timers.add(this);
    this.deadlineAt = this.#timers.after(CLOSE_MS);
    this.#channel.end();
  }

  #give(error: ChannelError): void {
    this.#phase = 'closed';
    this.#report(error);
    this.#channel.abort(error);
  }

  #report(error: ChannelError | undefined): void {
    if (this.#closeReported) return;
    this.#closeReported = true;
    this.#handler.onClose(this, error);
  }
}
