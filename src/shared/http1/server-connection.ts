import { type ByteChannel, ChannelError, type ChannelHandler } from '../engine/channel.ts';
import {
  ExchangeError,
  type ExchangeErrorCode,
  type RequestHead,
  type ResponseHead,
  type ServerExchangeSink,
} from '../http/exchange.ts';
import type { Timed } from '../lifecycle/coarse-timers.ts';
import { BadMessage } from './bad-message.ts';
import { BodyDecoder } from './body-decoder.ts';
import { BodyEncoder } from './body-encoder.ts';
import { NO_FIELDS } from './field-section.ts';
import { endHead } from './head-writer.ts';
import { ReadGate } from './read-gate.ts';
import { RequestParser } from './request-parser.ts';
import { renderContinue, renderInterim, renderRefusal, renderResponse } from './response-head.ts';
import { Http1ServerExchange, type ServerExchangeOwner } from './server-exchange.ts';
import type { Http1ServerHandler, Http1ServerOptions } from './server-options.ts';

const STREAM_IDLE = 'stream idle timeout';
/** How much of an unread request body is read after its response has ended, before the connection is given up. */
const DISCARD_BYTES = 64 * 1024;

/**
 * head: waiting for, or in, a request head; body: in a request body; respond: request complete, response not;
 * raw: a tunnel; linger: we have said our last and wait for the peer to close; closed.
 */
type Phase = 'head' | 'body' | 'respond' | 'raw' | 'linger' | 'closed';

/**
 * Server side of one HTTP/1.1 connection. Requests are handed over one at a time: a pipelined request is parsed when
 * the exchange before it is over, and at most one read of bytes is held until then.
 */
export class Http1ServerConnection implements ChannelHandler, ServerExchangeOwner, Timed {
  deadlineAt = Number.POSITIVE_INFINITY;
  timedIndex = -1;
  readonly #channel: ByteChannel;
  readonly #options: Http1ServerOptions;
  readonly #handler: Http1ServerHandler;
  readonly #parser: RequestParser;
  readonly #body: BodyDecoder;
  readonly #encoder = new BodyEncoder();
  readonly #gate: ReadGate;
  #phase: Phase = 'head';
  #exchange: Http1ServerExchange | undefined;
  #consuming = false;
  /** The sink has been told that nothing moves. */
  #askedToAnswer = false;
  #writeBlocked = false;
  #closeAfter = false;
  #draining = false;
  #ending = false;
  #discardLeft = 0;
  #requestDeadline = Number.POSITIVE_INFINITY;

  constructor(channel: ByteChannel, options: Http1ServerOptions, handler: Http1ServerHandler) {
    this.#channel = channel;
    this.#options = options;
    this.#handler = handler;
    this.#parser = new RequestParser(options.limits);
    this.#body = new BodyDecoder(options.limits);
    this.#gate = new ReadGate(channel);
    options.timers.add(this);
    this.deadlineAt = options.timers.after(options.idleTimeoutMs);
  }

  /** Starts reading. @param first bytes that were read before the protocol was known */
  start(first?: Buffer): void {
    if (first !== undefined && first.length > 0) this.onData(first);
    this.#channel.setHandler(this);
  }

  /** No request is being served and no part of one has arrived. */
  get idle(): boolean {
    return this.#phase === 'head' && this.#parser.idle && !this.#gate.holds;
  }

  /**
   * The next response that begins is the last and says so. What is idle, or answers without having said it, stays open: the
   * client's next request may be on its way, and would be lost. `endIdle` comes behind it.
   */
  drain(): void {
    this.#draining = true;
  }

  /** An idle connection closes, now or after its response. */
  endIdle(): void {
    this.#draining = true;
    this.#ending = true;
    if (this.idle) this.#linger();
  }

  // --- from the channel

  onData(slice: Buffer): void {
    if (this.#gate.holds) this.#gate.hold(slice, 0);
    else this.#consume(slice);
  }

  onEnd(): void {
    const exchange = this.#exchange;
    if (this.#phase === 'raw') {
      exchange?.sink?.onBodyEnd(NO_FIELDS);
      return;
    }
    // A client that closes while it waits is no longer interested: as Envoy and nginx do, the request is cancelled.
    if (exchange !== undefined) this.#breakOff(exchange, 'cancelled', 'client closed the connection');
    else this.#channel.end();
  }

  onDrain(): void {
    this.#writeBlocked = false;
    const exchange = this.#exchange;
    if (exchange !== undefined) {
      this.#progress();
      exchange.sink?.onWritable();
    } else if (this.#phase === 'head' && !this.#consuming) this.#consumeHeld();
  }

  onClose(error: ChannelError | undefined): void {
    this.#phase = 'closed';
    this.#gate.take();
    this.#options.timers.remove(this);
    const exchange = this.#detach();
    exchange?.sink?.onAbort(
      new ExchangeError('connection_closed', 'client connection closed', { cause: error }),
    );
    this.#handler.onClose(error);
  }

  onDeadline(): void {
    if (this.#phase === 'linger')
      this.#channel.abort(new ChannelError('timeout', 'client did not close in time'));
    else if (this.#phase === 'head' && this.#parser.idle) this.#linger();
    else if (this.#phase === 'head') this.#refuse(new BadMessage(408, 'request head took too long'));
    else this.#exchangeTimedOut();
  }

  // --- reading

  #consume(slice: Buffer): void {
    const end = slice.length;
    let pos = 0;
    this.#consuming = true;
    try {
      while (pos < end) {
        if (this.#phase === 'head' && !this.#writeBlocked) pos = this.#readHead(slice, pos, end);
        else if (this.#phase === 'body') pos = this.#readBody(slice, pos, end);
        else if (this.#phase === 'raw') {
          this.onBodyData(pos === 0 ? slice : slice.subarray(pos));
          pos = end;
        } else {
          if (this.#phase === 'respond' || this.#phase === 'head') this.#gate.hold(slice, pos);
          pos = end;
        }
      }
    } catch (error) {
      if (!(error instanceof BadMessage)) throw error;
      this.#refuse(error);
    } finally {
      this.#consuming = false;
    }
  }

  #consumeHeld(): void {
    const held = this.#gate.take();
    if (held !== undefined) this.#consume(held);
    this.#gate.update();
  }

  #readHead(slice: Buffer, pos: number, end: number): number {
    const parser = this.#parser;
    if (parser.idle) this.deadlineAt = this.#options.timers.after(this.#options.headTimeoutMs);
    const next = parser.feed(slice, pos, end);
    if (parser.complete) this.#startExchange(parser.take(this.#options.scheme));
    return next;
  }

  #startExchange(request: RequestHead): void {
    const { fields } = this.#parser;
    const hasBody = fields.chunked || fields.contentLength > 0;
    if (fields.chunked) this.#body.startChunked();
    else this.#body.startLength(Math.max(0, fields.contentLength));
    this.#closeAfter = fields.close || (request.protocol === 'HTTP/1.0' && !fields.keepAlive);
    this.#parser.reset();
    this.#phase = hasBody ? 'body' : 'respond';
    this.#requestDeadline = this.#options.timers.after(this.#options.requestTimeoutMs);
    this.#progress();
    const exchange = new Http1ServerExchange(request, this);
    this.#exchange = exchange;
    this.#handler.onRequest(exchange);
    // A tunnel's bytes come when it has been accepted.
    if (!hasBody && request.contentLength === 0) exchange.sink?.onBodyEnd(NO_FIELDS);
  }

  #readBody(slice: Buffer, pos: number, end: number): number {
    const next = this.#body.feed(slice, pos, end, this);
    if (this.#body.done) {
      if (this.#phase === 'body') this.#requestEnded();
    } else if (this.#exchange === undefined) {
      this.#discardLeft -= next - pos;
      if (this.#discardLeft < 0) this.#linger();
    }
    return next;
  }

  onBodyData(slice: Buffer): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    this.#progress();
    if (exchange.sink?.onBody(slice) === false) this.#gate.blockSink(true);
  }

  #requestEnded(): void {
    this.#phase = 'respond';
    this.#requestDeadline = Number.POSITIVE_INFINITY;
    if (this.#exchange === undefined) this.#nextRequest();
    else this.#exchange.sink?.onBodyEnd(this.#body.trailers);
  }

  /** Any byte either way puts off the end of an exchange. */
  #progress(): void {
    const { timers, idleTimeoutMs, streamIdleTimeoutMs } = this.#options;
    if (this.#phase === 'raw') this.deadlineAt = timers.after(idleTimeoutMs);
    else this.deadlineAt = Math.min(timers.after(streamIdleTimeoutMs), this.#requestDeadline);
  }

  // --- from the exchange

  sendContinue(exchange: Http1ServerExchange): void {
    if (!exchange.request.expectContinue || exchange.responseStarted || exchange.continueSent) return;
    exchange.continueSent = true;
    this.#channel.write(renderContinue());
  }

  sendResponse(exchange: Http1ServerExchange, head: ResponseHead, endStream: boolean): void {
    if (exchange.responseStarted) return;
    const { request } = exchange;
    if (head.status < 200 && head.status !== 101) {
      // HTTP/1.0 knows no interim responses (RFC 9110 §15.2).
      if (request.protocol !== 'HTTP/1.0') this.#channel.write(renderInterim(head));
      return;
    }
    // Without 100 the client may or may not send its body: what follows could be either.
    const close = this.#closeAfter || this.#draining || (request.expectContinue && !exchange.continueSent);
    const nowMs = this.#options.timers.clock.now();
    const framing = renderResponse(request, head, endStream, close, this.#encoder, nowMs);
    if (framing instanceof ExchangeError) {
      this.#refuse(new BadMessage(502, `response ${framing.message}`));
      return;
    }
    exchange.responseStarted = true;
    this.#closeAfter = framing.close;
    if (!this.#channel.write(endHead())) this.#writeBlocked = true;
    this.#progress();
    if (framing.tunnel) this.#startTunnel();
    else if (endStream) this.endBody(exchange, undefined);
    // An upgrade that was answered as an ordinary request: its body is empty, now that is known.
    else if (request.upgrade !== undefined) exchange.sink?.onBodyEnd(NO_FIELDS);
  }

  #startTunnel(): void {
    this.#phase = 'raw';
    this.#progress();
    if (!this.#consuming) this.#consumeHeld();
  }

  sendBody(exchange: Http1ServerExchange, slice: Uint8Array): boolean {
    if (!exchange.responseStarted) return true;
    if (!this.#encoder.fits(slice.length)) {
      this.#breakOff(exchange, 'protocol_error', 'response body longer than its Content-Length');
      return true;
    }
    this.#progress();
    const more = this.#encoder.write(this.#channel, slice);
    if (!more) this.#writeBlocked = true;
    return more;
  }

  endBody(exchange: Http1ServerExchange, trailers: readonly string[] | undefined): void {
    if (!exchange.responseStarted) return;
    if (!this.#encoder.complete) {
      this.#breakOff(exchange, 'protocol_error', 'response body shorter than its Content-Length');
      return;
    }
    this.#encoder.end(this.#channel, trailers);
    if (this.#phase === 'raw') this.#channel.end();
    else this.#responseEnded();
  }

  abort(exchange: Http1ServerExchange, error: ExchangeError): void {
    if (exchange !== this.#exchange) return;
    this.#detach();
    this.#phase = 'closed';
    this.#channel.abort(new ChannelError('aborted', error.message, { cause: error }));
  }

  resumeBody(): void {
    this.#gate.blockSink(false);
  }

  /** The client must see that the message is incomplete, and the sink that its response went nowhere. */
  #breakOff(exchange: Http1ServerExchange, code: ExchangeErrorCode, reason: string): void {
    const error = new ExchangeError(code, reason);
    this.abort(exchange, error);
    exchange.sink?.onAbort(error);
  }

  #responseEnded(): void {
    this.#detach();
    if (this.#closeAfter) this.#linger();
    else if (this.#phase === 'body') this.#discardLeft = DISCARD_BYTES;
    else this.#nextRequest();
  }

  #nextRequest(): void {
    if (this.#ending) {
      this.#linger();
      return;
    }
    this.#phase = 'head';
    this.deadlineAt = this.#options.timers.after(this.#options.idleTimeoutMs);
    // Inside `#consume` the loop goes on with the next request by itself.
    if (!this.#consuming && !this.#writeBlocked) this.#consumeHeld();
  }

  #detach(): Http1ServerExchange | undefined {
    const exchange = this.#exchange;
    if (exchange !== undefined) exchange.owner = undefined;
    this.#exchange = undefined;
    this.#gate.blockSink(false);
    return exchange;
  }

  // --- closing

  #refuse(bad: BadMessage): void {
    const exchange = this.#detach();
    if (exchange?.responseStarted === true) {
      this.#phase = 'closed';
      this.#channel.abort(new ChannelError('protocol', bad.message));
    } else {
      this.#channel.write(renderRefusal(bad.status, bad.message, this.#options.timers.clock.now()));
      this.#linger();
    }
    this.#handler.onRefused(bad.status, bad.message);
    exchange?.sink?.onAbort(bad.toExchangeError());
  }

  #exchangeTimedOut(): void {
    if (this.#phase === 'body' && this.#exchange?.responseStarted !== true) {
      this.#refuse(new BadMessage(408, 'request body took too long'));
      return;
    }
    const exchange = this.#exchange;
    if (exchange?.sink !== undefined && !exchange.responseStarted && !this.#askedToAnswer)
      this.#askToAnswer(exchange.sink);
    else if (exchange !== undefined) this.#breakOff(exchange, 'timeout', STREAM_IDLE);
    else this.#channel.abort(new ChannelError('timeout', 'rest of a request body took too long'));
  }

  /** The last answer of the connection; who does not answer is broken off at the next deadline. */
  #askToAnswer(sink: ServerExchangeSink): void {
    this.#askedToAnswer = true;
    this.#closeAfter = true;
    this.#progress();
    sink.onIdle(STREAM_IDLE);
  }

  /** Half-close, then read and drop: a close with unread bytes would reset the response away (RFC 9112 §9.6). */
  #linger(): void {
    this.#phase = 'linger';
    this.#gate.take();
    this.deadlineAt = this.#options.timers.after(this.#options.lingerMs);
    this.#channel.end();
    this.#gate.blockSink(false);
    this.#gate.update();
  }
}
