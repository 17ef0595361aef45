import type { Http2Stream, Http2StreamHandler } from './stream.ts';
import type { WaitingOutput } from './waiting-output.ts';

/** What a stream asks of its connection. */
export interface StreamOwner {
  sendHeaders(stream: StreamState, fields: readonly string[], endStream: boolean): void;
  sendData(stream: StreamState, slice: Uint8Array, endStream: boolean, isOwned: boolean): boolean;
  sendTrailers(stream: StreamState, fields: readonly string[]): void;
  resetStream(stream: StreamState, code: number): void;
  consume(stream: StreamState, bytes: number): void;
}

/** One stream as its connection keeps it. The fields are the connection's to write; the application sees `Http2Stream`. */
export class StreamState implements Http2Stream {
  readonly id: number;
  readonly #owner: StreamOwner;
  handler: Http2StreamHandler;

  // === this direction ===
  /** What the peer lets us send; negative after it shrank its SETTINGS_INITIAL_WINDOW_SIZE. */
  sendWindow: number;
  /** END_STREAM is queued or sent. */
  localEnded = false;
  /** END_STREAM has been written. */
  endSent = false;
  /** The response head (not 1xx), or the request's, has been sent. */
  headSent = false;
  /** Made when something has to wait for the first time. */
  waiting: WaitingOutput | undefined;

  // === the peer's direction ===
  /** What we let the peer send. */
  receiveWindow: number;
  unconsumedBytes = 0;
  /** Consumed, and not yet announced by WINDOW_UPDATE. */
  owedBytes = 0;
  remoteEnded = false;
  /** Client: the final response head has come. Server: always true. */
  headReceived: boolean;
  /** From content-length; -1 when not declared. */
  expectedBytes = -1;
  receivedBytes = 0;

  /** The request was HEAD: its response may declare a length and have no body. */
  isHead = false;
  /** CONNECT: DATA both ways, no trailers (RFC 9113 §8.5). */
  isConnect = false;
  /** Nothing is sent or delivered any more. */
  isOver = false;

  constructor(
    id: number,
    owner: StreamOwner,
    handler: Http2StreamHandler,
    sendWindow: number,
    receiveWindow: number,
    headReceived: boolean,
  ) {
    this.id = id;
    this.#owner = owner;
    this.handler = handler;
    this.sendWindow = sendWindow;
    this.receiveWindow = receiveWindow;
    this.headReceived = headReceived;
  }

  get pendingBytes(): number {
    return this.waiting === undefined ? 0 : this.waiting.bytes.bytes;
  }

  sendHeaders(fields: readonly string[], endStream: boolean): void {
    this.#owner.sendHeaders(this, fields, endStream);
  }

  sendData(slice: Uint8Array, endStream: boolean): boolean {
    return this.#owner.sendData(this, slice, endStream, false);
  }

  sendOwned(slice: Uint8Array, endStream: boolean): boolean {
    return this.#owner.sendData(this, slice, endStream, true);
  }

  sendTrailers(fields: readonly string[]): void {
    this.#owner.sendTrailers(this, fields);
  }

  reset(code: number): void {
    this.#owner.resetStream(this, code);
  }

  consume(bytes: number): void {
    this.#owner.consume(this, bytes);
  }
}
