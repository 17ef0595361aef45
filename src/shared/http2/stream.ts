import type { HeaderList } from '../http/headers.ts';

/** One HTTP/2 stream, seen by the application: the same for client and server. All calls after its end are ignored. */
export interface Http2Stream {
  readonly id: number;

  /**
   * Server: informational (1xx) heads, then the response head. `fields` starts with the pseudo-header fields.
   * Names must be lower case and free of connection-specific fields: they are written as they are.
   */
  sendHeaders(fields: readonly string[], endStream: boolean): void;

  /**
   * Sends bytes, taken during the call. What flow control or the channel does not admit yet is queued.
   * @returns false when something is queued: stop until `onDrain`. A producer that goes on past
   * `maxPendingBytes` has its stream reset (INTERNAL_ERROR).
   */
  sendData(slice: Uint8Array, endStream: boolean): boolean;

  /** As `sendData`, but the memory is given up by the caller, so that queueing it costs no copy. */
  sendOwned(slice: Uint8Array, endStream: boolean): boolean;

  /** Ends this direction with trailers, taken during the call, behind whatever is queued; an empty list sends a bare END_STREAM. */
  sendTrailers(fields: readonly string[]): void;

  /** RST_STREAM with `code` (`ErrorCode`); what is queued is dropped. No event follows on the handler. */
  reset(code: number): void;

  /**
   * Returns flow-control credit for `bytes` that `onData` delivered and the application is done with. Until then the
   * peer's window for this stream shrinks; no other stream is held up by it.
   */
  consume(bytes: number): void;

  /** Bytes queued here because the peer's windows or the channel are full. */
  readonly pendingBytes: number;
  /** Bytes delivered by `onData` and not yet given to `consume`. */
  readonly unconsumedBytes: number;
  /** Our direction is finished (END_STREAM queued or sent), or the stream is over. */
  readonly localEnded: boolean;
  /** The peer's direction is finished, or the stream is over. */
  readonly remoteEnded: boolean;
}

/** Events of one stream: heads, data*, then onEnd; or onReset at any time, which is the last event. */
export interface Http2StreamHandler {
  /**
   * Client: each informational (1xx) head and the response head, pseudo-header fields first: to be read before anything else is
   * done, as the list is used again. Never called on servers.
   */
  onHeaders(fields: HeaderList, endStream: boolean): void;
  /** Payload in the connection's read buffer: valid during the call unless the channel's reads are owned. */
  onData(slice: Buffer): void;
  /** The peer has half-closed; `trailers` is empty when there were none. Comes once, also after `endStream` heads. */
  onEnd(trailers: HeaderList): void;
  /** The stream ended out of order: RST_STREAM, GOAWAY, a protocol error, or the loss of the connection. */
  onReset(reset: StreamReset): void;
  /** After a send that returned false: everything queued has left. */
  onDrain(): void;
}

export interface StreamReset {
  /** RFC 9113 §7 code (`ErrorCode`). */
  readonly code: number;
  /** Who ended it: the peer's RST_STREAM, our own check of what the peer sent, or the connection as a whole. */
  readonly origin: 'peer' | 'local' | 'connection';
  /** True when the peer has certainly not processed the stream: the request may be sent again elsewhere. */
  readonly unprocessed: boolean;
  /** For logs. */
  readonly message: string;
}
