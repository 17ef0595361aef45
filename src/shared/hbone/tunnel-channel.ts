import {
  type ByteChannel,
  ChannelError,
  type ChannelHandler,
  type SocketEndpoint,
} from '../engine/channel.ts';
import { ByteQueue } from '../engine/byte-queue.ts';
import type { HeaderList } from '../http/headers.ts';
import { ErrorCode } from '../http2/error-code.ts';
import type { Http2Stream, Http2StreamHandler, StreamReset } from '../http2/stream.ts';

const EMPTY = Buffer.alloc(0);

/** What the channel under the connection tells of itself. */
export interface TunnelEnds {
  readonly localAddress: SocketEndpoint;
  readonly remoteAddress: SocketEndpoint;
  readonly readsAreOwned: boolean;
}

/**
 * A CONNECT stream as a byte channel: half-close is END_STREAM, abort is RST_STREAM. Bytes that come while nobody wants
 * them are held and not consumed, so that the stream's window (not the connection's) stops the sender.
 */
export class TunnelChannel implements ByteChannel, Http2StreamHandler {
  readonly localAddress: SocketEndpoint;
  readonly remoteAddress: SocketEndpoint;
  readonly readsAreOwned: boolean;
  #stream: Http2Stream | undefined;
  #handler: ChannelHandler | undefined;
  /** What came while nobody wanted it; few tunnels ever have any. */
  #held: ByteQueue | undefined;
  #paused = false;
  #remoteEnded = false;
  #endDelivered = false;
  #localEnded = false;
  #delivering = false;
  #closing = false;
  #error: ChannelError | undefined;

  constructor(ends: TunnelEnds) {
    this.localAddress = ends.localAddress;
    this.remoteAddress = ends.remoteAddress;
    this.readsAreOwned = ends.readsAreOwned;
  }

  /** Once, before any other call. */
  attach(stream: Http2Stream): void {
    this.#stream = stream;
  }

  // === as a byte channel ===

  get bufferedBytes(): number {
    return this.#stream?.pendingBytes ?? 0;
  }

  setHandler(handler: ChannelHandler): void {
    const isFirst = this.#handler === undefined;
    this.#handler = handler;
    if (!isFirst) return;
    if (this.#closing) this.#reportClose();
    else this.#deliverHeldLater();
  }

  write(slice: Uint8Array): boolean {
    if (this.#localEnded || this.#closing || this.#stream === undefined) return false;
    return this.#stream.sendData(slice, false);
  }

  writeOwned(slice: Uint8Array): boolean {
    if (this.#localEnded || this.#closing || this.#stream === undefined) return false;
    return this.#stream.sendOwned(slice, false);
  }

  end(): void {
    if (this.#localEnded || this.#closing) return;
    this.#localEnded = true;
    this.#stream?.sendData(EMPTY, true);
    this.#closeIfDone();
  }

  abort(reason: ChannelError): void {
    if (this.#closing) return;
    this.#stream?.reset(resetCodeFor(reason));
    this.#close(reason);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#deliverHeldLater();
  }

  // === as the handler of its stream ===

  onHeaders(_fields: HeaderList, _endStream: boolean): void {}

  onData(slice: Buffer): void {
    if (this.#closing) return;
    if (this.#handler === undefined || this.#paused || this.#heldBytes > 0) {
      const held = (this.#held ??= new ByteQueue());
      if (this.readsAreOwned) held.appendOwned(slice);
      else held.append(slice);
      return;
    }
    this.#stream?.consume(slice.length);
    this.#handler.onData(slice);
  }

  onEnd(_trailers: HeaderList): void {
    this.#remoteEnded = true;
    if (this.#handler !== undefined && !this.#paused && this.#heldBytes === 0) this.#deliverEnd();
  }

  onDrain(): void {
    if (this.#closing) return;
    if (!this.#localEnded) this.#handler?.onDrain();
    this.#closeIfDone();
  }

  onReset(reset: StreamReset): void {
    if (this.#closing) return;
    this.#close(new ChannelError('reset', `tunnel ended: ${reset.message}`));
  }

  // === delivery ===

  get #heldBytes(): number {
    return this.#held?.bytes ?? 0;
  }

  #deliverHeldLater(): void {
    if (this.#heldBytes > 0 || this.#remoteEnded) queueMicrotask(() => this.#deliverHeld());
  }

  #deliverHeld(): void {
    const handler = this.#handler;
    if (handler === undefined || this.#delivering) return;
    this.#delivering = true;
    while (!this.#paused && !this.#closing) {
      const slice = this.#held?.take();
      if (slice === undefined) break;
      this.#stream?.consume(slice.length);
      handler.onData(slice);
      this.#held?.release();
    }
    this.#delivering = false;
    if (this.#remoteEnded && !this.#paused && this.#heldBytes === 0) this.#deliverEnd();
  }

  #deliverEnd(): void {
    if (this.#endDelivered || this.#closing) return;
    this.#endDelivered = true;
    this.#handler?.onEnd();
    this.#closeIfDone();
  }

  #closeIfDone(): void {
    if (this.#endDelivered && this.#localEnded && this.bufferedBytes === 0 && !this.#closing)
      this.#close(undefined);
  }

  #close(error: ChannelError | undefined): void {
    this.#closing = true;
    this.#error = error;
    this.#held?.clear();
    if (this.#handler !== undefined) this.#reportClose();
  }

  /** After the call that led here, which may be one of the handler's own. */
  #reportClose(): void {
    queueMicrotask(() => this.#handler?.onClose(this.#error));
  }
}

/** RFC 9113 §8.5: an error of the proxied TCP connection is CONNECT_ERROR; what we decided ourselves is CANCEL. */
function resetCodeFor(reason: ChannelError): number {
  switch (reason.code) {
    case 'reset':
    case 'io':
    case 'connect_refused':
    case 'connect_timeout':
    case 'unreachable':
      return ErrorCode.CONNECT_ERROR;
    default:
      return ErrorCode.CANCEL;
  }
}
