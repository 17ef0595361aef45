/**
 * The byte channel: the seam under every codec (HTTP/1.1, HTTP/2, HBONE, the copy loop). Push-style, so that nothing is
 * buffered twice and nothing is allocated per message. Implemented over `node:net`/`node:tls` (`node/`), and by the
 * native engine later; no codec may know which.
 */
export interface ByteChannel {
  /** Replaces the receiver of events. Until the first handler is set the channel reads nothing. */
  setHandler(handler: ChannelHandler): void;

  /**
   * Queues bytes for sending. They are taken during the call: the caller may reuse the memory afterwards. All writes of
   * one turn of the event loop leave together.
   * @returns false when the send buffer is above its high-water mark: stop until `onDrain`. The bytes are queued anyway.
   */
  write(slice: Uint8Array): boolean;

  /** As `write`, but the memory is given up: the caller never touches it again, so a large slice need not be copied. */
  writeOwned(slice: Uint8Array): boolean;

  /** Half-close: everything queued is sent, then FIN (over TLS: close_notify, then FIN). Later writes are ignored. */
  end(): void;

  /** Sends RST where the transport can, drops what is queued, and reports `onClose`. Idempotent. */
  abort(reason: ChannelError): void;

  /** Stops `onData`/`onEnd` until `resume`; the kernel's window then slows the sender. */
  pause(): void;
  resume(): void;

  /**
   * What arrives here in bulk may go to `to` without passing the handler, which is told of it by `onRelayed`, and still
   * gets everything else. For a handler that does nothing but write to `to`. Where it is missing there is no such way.
   */
  relayTo?(to: ByteChannel, handler: RelayHandler): void;

  /** Bytes accepted by `write` and not yet taken by the kernel. */
  readonly bufferedBytes: number;
  readonly localAddress: SocketEndpoint;
  readonly remoteAddress: SocketEndpoint;
  /** True when each `onData` slice is fresh memory, which the receiver may keep or hand to `writeOwned`. */
  readonly readsAreOwned: boolean;
  /**
   * What carries it is going away (a tunnel whose session got GOAWAY): what is under way may end in its time, but who keeps
   * the channel for later work does that work on another. Missing where nothing carries it.
   */
  readonly isRetiring?: boolean;
}

export interface RelayHandler {
  /** Bytes have gone past the channel's handler. */
  onRelayed(bytes: number): void;
}

export interface ChannelHandler {
  /** The slice is valid only during the call, unless the channel says `readsAreOwned`. */
  onData(slice: Buffer): void;
  /** The peer will send no more. The other direction stays open until `end` or `abort`. */
  onEnd(): void;
  /** The send buffer fell below its low-water mark after a `write` that returned false. */
  onDrain(): void;
  /** Exactly once, and last. `error` is undefined when both directions ended in order. */
  onClose(error: ChannelError | undefined): void;
}

/** An IP address in canonical text form (no zone, no IPv4-mapped IPv6) and a port. */
export interface SocketEndpoint {
  readonly ip: string;
  readonly port: number;
}

export type ChannelErrorCode =
  | 'connect_refused'
  | 'connect_timeout'
  | 'unreachable'
  | 'reset'
  | 'timeout'
  | 'tls_handshake'
  | 'tls_alert'
  | 'protocol'
  | 'policy'
  | 'drain'
  | 'aborted'
  | 'resource_exhausted'
  | 'io';

/**
 * The one error type of the transport. `message` is fit for an access log: it says what happened and what to do. There is
 * one for each connection that a peer resets, so it takes no stack along, which would cost more than all else that the end
 * of a connection does; a fault of our own is its `cause`, which has one.
 */
export class ChannelError extends Error {
  readonly code: ChannelErrorCode;

  constructor(code: ChannelErrorCode, message: string, options?: ErrorOptions) {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(message, options);
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'ChannelError';
    this.code = code;
  }
}
