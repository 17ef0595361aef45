import type {
  ExchangeError,
  RequestHead,
  ResponseHead,
  ServerExchange,
  ServerExchangeSink,
} from '../http/exchange.ts';

/** What an exchange asks of its connection. */
export interface ServerExchangeOwner {
  sendContinue(exchange: Http1ServerExchange): void;
  sendResponse(exchange: Http1ServerExchange, head: ResponseHead, endStream: boolean): void;
  sendBody(exchange: Http1ServerExchange, slice: Uint8Array): boolean;
  endBody(exchange: Http1ServerExchange, trailers: readonly string[] | undefined): void;
  abort(exchange: Http1ServerExchange, error: ExchangeError): void;
  resumeBody(exchange: Http1ServerExchange): void;
}

/**
 * One request of a connection. Once it is over (`owner` undefined) every call does nothing, so a late call of a slow
 * upstream cannot reach into the next request.
 *
 * A response of 1xx other than 101 is sent as an interim one. After the response has ended the sink hears nothing more,
 * not even of a request body that was not read to its end.
 */
export class Http1ServerExchange implements ServerExchange {
  readonly request: RequestHead;
  sink: ServerExchangeSink | undefined;
  owner: ServerExchangeOwner | undefined;
  responseStarted = false;
  continueSent = false;

  constructor(request: RequestHead, owner: ServerExchangeOwner) {
    this.request = request;
    this.owner = owner;
  }

  setSink(sink: ServerExchangeSink): void {
    this.sink = sink;
  }

  sendContinue(): void {
    this.owner?.sendContinue(this);
  }

  sendResponse(head: ResponseHead, endStream: boolean): void {
    this.owner?.sendResponse(this, head, endStream);
  }

  sendBody(slice: Uint8Array): boolean {
    return this.owner === undefined || this.owner.sendBody(this, slice);
  }

  endBody(trailers?: string[]): void {
    this.owner?.endBody(this, trailers);
  }

  abort(error: ExchangeError): void {
    this.owner?.abort(this, error);
  }

  resumeBody(): void {
    this.owner?.resumeBody(this);
  }
}
