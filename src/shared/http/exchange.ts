import type { HeaderList } from './headers.ts';

/**
 * One request and its response, seen from either side, the same for HTTP/1.1 and HTTP/2. The codecs implement it and the
 * waypoint joins a downstream exchange to an upstream one; neither knows the other's protocol version.
 */
export interface RequestHead {
  readonly method: string;
  /** `http` or `https`; empty for CONNECT without extended CONNECT. */
  scheme: string;
  /** Host (and port) the client asked for: `:authority`, or `Host`. */
  authority: string;
  /** Path with query, as received; empty for CONNECT; `*` for OPTIONS *. */
  path: string;
  /** Without pseudo-headers, `host`, connection-specific fields and framing fields (the codec owns those). */
  headers: HeaderList;
  readonly protocol: 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2';
  /** Upgrade token of HTTP/1.1 `Upgrade`, or `:protocol` of extended CONNECT; undefined otherwise. */
  readonly upgrade: string | undefined;
  /** Exact body length when declared, undefined when it is not known beforehand, 0 when there is none. */
  readonly contentLength: number | undefined;
  /** The client waits for `100 Continue` before it sends the body. */
  readonly expectContinue: boolean;
}

export interface ResponseHead {
  status: number;
  headers: HeaderList;
  contentLength: number | undefined;
}

/** Receives one message body. Events come in the order data*, then exactly one of end or abort. */
export interface BodySink {
  /** Valid only during the call. @returns false to ask for a pause: the source stops reading until `resume`. */
  onBody(slice: Buffer): boolean;
  /** Trailers as a flat list, empty when there are none. */
  onBodyEnd(trailers: HeaderList): void;
  onAbort(error: ExchangeError): void;
}

/** Server side of one request. */
export interface ServerExchange {
  readonly request: RequestHead;
  /** Must be called in the turn the exchange is handed over; events start after it. */
  setSink(sink: ServerExchangeSink): void;
  sendContinue(): void;
  /** `endStream` true when there is no body; a tunnel ends by `endBody` alone. The codec adds framing fields. */
  sendResponse(head: ResponseHead, endStream: boolean): void;
  /** @returns false when the client does not keep up: wait for `onWritable`. */
  sendBody(slice: Uint8Array): boolean;
  endBody(trailers?: HeaderList): void;
  /** Before the response head: closes the exchange with no answer. After it: makes the client see a broken message. */
  abort(error: ExchangeError): void;
  resumeBody(): void;
}

export interface ServerExchangeSink extends BodySink {
  onWritable(): void;
  /** HTTP/1.1: nothing has moved on the connection for too long, and no response has begun: it is for the sink to answer. */
  onIdle(reason: string): void;
}

/** Client side of one request. */
export interface ClientExchange {
  sendBody(slice: Uint8Array): boolean;
  endBody(trailers?: HeaderList): void;
  /** Cancels: HTTP/2 RST_STREAM(CANCEL), HTTP/1.1 connection closed. */
  abort(error: ExchangeError): void;
  resumeBody(): void;
}

export interface ClientExchangeSink extends BodySink {
  /** 1xx other than 101. */
  onInformational(head: ResponseHead): void;
  /** `endStream` true when no body and no trailers follow; `onBodyEnd` is called all the same. */
  onResponse(head: ResponseHead, endStream: boolean): void;
  onWritable(): void;
}

export type ExchangeErrorCode =
  | 'refused_before_sending' // the peer has certainly not processed the request: always safe to send again
  | 'reset'
  | 'connection_closed'
  | 'connect_failure'
  | 'timeout'
  | 'protocol_error'
  | 'body_too_large'
  | 'cancelled'
  | 'overflow';

export class ExchangeError extends Error {
  readonly code: ExchangeErrorCode;

  constructor(code: ExchangeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ExchangeError';
    this.code = code;
  }
}
