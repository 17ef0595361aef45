import type { ClientExchange, ClientExchangeSink, ExchangeError, RequestHead } from '../http/exchange.ts';

/** What an exchange asks of its connection. */
export interface ClientExchangeOwner {
  sendBody(exchange: Http1ClientExchange, slice: Uint8Array): boolean;
  endBody(exchange: Http1ClientExchange, trailers: readonly string[] | undefined): void;
  abort(exchange: Http1ClientExchange, error: ExchangeError): void;
  resumeBody(exchange: Http1ClientExchange): void;
}

/** One request on a client connection; does nothing any more once it is over (`owner` undefined). */
export class Http1ClientExchange implements ClientExchange {
  readonly request: RequestHead;
  readonly sink: ClientExchangeSink;
  owner: ClientExchangeOwner | undefined;
  requestEnded: boolean;
  responseStarted = false;

  constructor(
    request: RequestHead,
    sink: ClientExchangeSink,
    owner: ClientExchangeOwner,
    requestEnded: boolean,
  ) {
    this.request = request;
    this.sink = sink;
    this.owner = owner;
    this.requestEnded = requestEnded;
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
