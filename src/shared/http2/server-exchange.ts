import { EMPTY } from './frame.ts';
import type {
  ExchangeError,
  RequestHead,
  ResponseHead,
  ServerExchange,
  ServerExchangeSink,
} from '../http/exchange.ts';
import type { HeaderList } from '../http/headers.ts';
import { opensTunnel } from '../http/tunnel.ts';
import { BodyReceiver } from './body-receiver.ts';
import { ErrorCode } from './error-code.ts';
import { toExchangeError, toResetCode, toTunnelResetCode } from './exchange-error.ts';
import { readRequestHead, writeResponseHead, writeTrailers } from './message-head.ts';
import type { Http2Stream, Http2StreamHandler, StreamReset } from './stream.ts';

/**
 * Makes an exchange of a request stream, for `Http2ConnectionHandler.onStream` to return. `onExchange` is called at once
 * and must set the sink. As with HTTP/1.1, a response of 1xx other than 101 is an interim one, and once the response has
 * ended the sink hears nothing more.
 */
export function serveExchange(
  stream: Http2Stream,
  fields: HeaderList,
  endStream: boolean,
  onExchange: (exchange: ServerExchange) => void,
): Http2StreamHandler {
  const exchange = new Http2ServerExchange(stream, readRequestHead(fields, endStream));
  onExchange(exchange);
  return exchange;
}

class Http2ServerExchange
  extends BodyReceiver<ServerExchangeSink>
  implements ServerExchange, Http2StreamHandler
{
  readonly request: RequestHead;
  readonly #stream: Http2Stream;
  #responseStarted = false;
  #continueSent = false;
  /** What ends then is one direction: the exchange is over with its stream. */
  #isTunnel = false;
  /** The response has been handed over in full, or the exchange was aborted. */
  #isOver = false;

  constructor(stream: Http2Stream, request: RequestHead) {
    super();
    this.#stream = this.stream = stream;
    this.request = request;
  }

  setSink(sink: ServerExchangeSink): void {
    this.sink = sink;
  }

  sendContinue(): void {
    if (this.#responseStarted || this.#continueSent) return;
    this.#continueSent = true;
    this.#stream.sendHeaders([':status', '100'], false);
  }

  sendResponse(head: ResponseHead, endStream: boolean): void {
    if (this.#responseStarted || this.#isOver) return;
    // RFC 8441 §5: the server agrees to another protocol by 200 where HTTP/1.1 says 101.
    const status = head.status === 101 ? 200 : head.status;
    this.#responseStarted = status >= 200;
    this.#isTunnel = opensTunnel(this.request, head.status);
    const isEnd = endStream && this.#responseStarted && !this.#isTunnel;
    this.#stream.sendHeaders(writeResponseHead(status, head), isEnd);
    if (isEnd) this.#finish(true);
  }

  sendBody(slice: Uint8Array): boolean {
    return this.#isOver || this.#stream.sendData(slice, false);
  }

  endBody(trailers?: HeaderList): void {
    if (this.#isOver) return;
    if (this.#isTunnel) {
      this.#stream.sendData(EMPTY, true);
      return;
    }
    if (trailers === undefined || trailers.length === 0)
      return this.#finish(this.#stream.sendData(EMPTY, true));
    this.#stream.sendTrailers(writeTrailers(trailers));
    this.#finish(this.#stream.pendingBytes === 0);
  }

  abort(error: ExchangeError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.stopBody();
    this.#stream.reset(
      this.#isTunnel ? toTunnelResetCode(this.request, error.code) : toResetCode(error.code),
    );
  }

  // === from the stream ===

  onHeaders(): void {}

  onReset(reset: StreamReset): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.stopBody();
    this.sink?.onAbort(toExchangeError(reset));
  }

  onDrain(): void {
    if (this.#isOver) this.#stopRequest();
    else this.sink?.onWritable();
  }

  #finish(isSent: boolean): void {
    this.#isOver = true;
    this.stopBody();
    if (isSent) this.#stopRequest();
  }

  /** Answered before the request was read: the client need not send the rest (RFC 9113 §8.1). */
  #stopRequest(): void {
    if (!this.#stream.remoteEnded) this.#stream.reset(ErrorCode.NO_ERROR);
  }
}
