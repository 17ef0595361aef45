import { EMPTY } from './frame.ts';
import {
  type ClientExchange,
  type ClientExchangeSink,
  ExchangeError,
  type RequestHead,
} from '../http/exchange.ts';
import type { HeaderList } from '../http/headers.ts';
import { opensTunnel } from '../http/tunnel.ts';
import { BodyReceiver } from './body-receiver.ts';
import type { Http2Connection } from './connection.ts';
import { ErrorCode } from './error-code.ts';
import { toExchangeError } from './exchange-error.ts';
import { readResponseHead, writeRequestHead, writeTrailers } from './message-head.ts';
import type { Http2Stream, Http2StreamHandler, StreamReset } from './stream.ts';

/**
 * Sends a request on a new stream of `connection`.
 * @throws ExchangeError, with nothing sent: `refused_before_sending` when the connection takes no stream now (see
 *   `canOpenStream`), `protocol_error` for an upgrade when the peer has not offered extended CONNECT
 */
export function openExchange(
  connection: Http2Connection,
  head: RequestHead,
  endStream: boolean,
  sink: ClientExchangeSink,
): ClientExchange {
  if (head.upgrade !== undefined && !connection.peerConnectProtocol) {
    throw new ExchangeError(
      'protocol_error',
      `the HTTP/2 upstream does not take upgrades (to ${head.upgrade})`,
    );
  }
  const exchange = new Http2ClientExchange(head, sink);
  const stream = connection.openStream(writeRequestHead(head, endStream), endStream, exchange);
  if (stream === undefined) {
    throw new ExchangeError('refused_before_sending', `the HTTP/2 connection is ${connection.state} or full`);
  }
  exchange.start(stream);
  return exchange;
}

class Http2ClientExchange
  extends BodyReceiver<ClientExchangeSink>
  implements ClientExchange, Http2StreamHandler
{
  readonly #request: RequestHead;
  /** The whole response has come, or the exchange failed or was aborted. */
  #isOver = false;
  /** What ends then is one direction. */
  #isTunnel = false;
  #hasEnded = false;

  constructor(head: RequestHead, sink: ClientExchangeSink) {
    super();
    this.#request = head;
    this.sink = sink;
  }

  start(stream: Http2Stream): void {
    this.stream = stream;
  }

  sendBody(slice: Uint8Array): boolean {
    return this.stream === undefined || this.stream.sendData(slice, false);
  }

  endBody(trailers?: HeaderList): void {
    if (trailers === undefined || trailers.length === 0) {
      this.stream?.sendData(EMPTY, true);
      return;
    }
    this.stream?.sendTrailers(writeTrailers(trailers));
  }

  abort(_error: ExchangeError): void {
    this.#isOver = true;
    this.stopBody();
    this.stream?.reset(ErrorCode.CANCEL);
  }

  // === from the stream ===

  onHeaders(fields: HeaderList, endStream: boolean): void {
    const head = readResponseHead(fields, endStream, this.#request.method === 'HEAD');
    if (head.status < 200) return this.sink?.onInformational(head);
    // RFC 8441 §5, the other way round: whoever asked hears of one upgrade by one status.
    if (this.#request.upgrade !== undefined && head.status < 300) head.status = 101;
    this.#isTunnel = opensTunnel(this.#request, head.status);
    // RFC 9110 §9.3.6: of a tunnel it would say nothing.
    if (this.#isTunnel) head.contentLength = undefined;
    this.sink?.onResponse(head, endStream);
  }

  override onEnd(trailers: HeaderList): void {
    this.#hasEnded = true;
    this.#isOver = !this.#isTunnel;
    super.onEnd(trailers);
  }

  /** After the whole response a reset only says that the rest of the request is not wanted (RFC 9113 §8.1). */
  onReset(reset: StreamReset): void {
    if (this.#isOver) return;
    // So does this one of a tunnel: what is still to be read of it is kept, and what is sent on it goes nowhere.
    if (this.#hasEnded && reset.code === ErrorCode.NO_ERROR) return this.sink?.onWritable();
    this.#isOver = true;
    this.stopBody();
    this.sink?.onAbort(toExchangeError(reset));
  }

  onDrain(): void {
    this.sink?.onWritable();
  }
}
