import { errorMessage } from '../../observability/error-message.ts';
import { resetOnClose, localEndpoint } from '../../native/stream-socket.ts';
import { EpollFlag } from '../../native/platform.ts';
import {
  type ByteChannel,
  ChannelError,
  type ChannelHandler,
  type RelayHandler,
  type SocketEndpoint,
} from '../channel.ts';
import type { TcpChannel } from '../engine.ts';
import type { Flushable, Pollable, Watch } from './event-loop.ts';
import type { NativeThread } from './native-thread.ts';
import { OutputBuffer } from './output-buffer.ts';
import { READ_OFFSET } from './read-memory.ts';
import { Relay, type RelayTarget, UNABLE } from './relay.ts';
import { FAILED, NOTHING_YET, type Transport, WOULD_BLOCK } from './transport.ts';
import { transportError } from './native-error.ts';

/** Above it `write` returns false; `onDrain` comes at half of it. */
const HIGH_WATER_BYTES = 256 * 1024;
/**
 * From here on output does not wait for the end of the turn: it is enough for one system call, still in the cache, and
 * the other side can work on it while we read on.
 */
const FLUSH_NOW_BYTES = 64 * 1024;
/** A slice of at least this much is sent from where it is, when nothing is queued before it. */
const DIRECT_BYTES = 8 * 1024;
/** A frame header of HTTP/2 or two. */
const MAX_BORROWED_BYTES = 64;
/** Read of one connection in one turn, so that none starves the others. */
const TURN_BUDGET_BYTES = 256 * 1024;

const END_FLAGS = EpollFlag.rdhup | EpollFlag.hup | EpollFlag.err;

const UNKNOWN: SocketEndpoint = { ip: '', port: 0 };

/** What a channel gives up: the descriptor (-1: closed), the place in the loop, and what the kernel has told of its end. */
export interface ReleasedSocket {
  readonly fd: number;
  readonly watch: Watch;
  readonly flags: number;
  /** Undefined: nobody has asked for it yet. */
  readonly local: SocketEndpoint | undefined;
}

/** A connected socket as a byte channel, plain or secured: that is its transport's business. */
export class NativeChannel implements ByteChannel, TcpChannel, Pollable, Flushable, RelayTarget {
  readonly remoteAddress: SocketEndpoint;
  readonly readsAreOwned = false;
  readonly #thread: NativeThread;
  readonly #transport: Transport;
  readonly #output: OutputBuffer;
  #fd: number;
  readonly #watch: Watch;
  #local: SocketEndpoint | undefined;
  #handler: ChannelHandler | undefined;
  /** What the kernel said last, until a call found otherwise. */
  #readable = true;
  #writable = true;
  /** The peer's FIN or an error has been announced: a short read does not mean that all is read. */
  #endAnnounced = false;
  #paused = false;
  /** The peer's end has been delivered. */
  #readEnded = false;
  #ending = false;
  #finished = false;
  #blocked = false;
  #queuedForFlush = false;
  #queuedForRead = false;
  #error: ChannelError | undefined;
  #relay: Relay | undefined;

  constructor(
    thread: NativeThread,
    fd: number,
    watch: Watch,
    remote: SocketEndpoint,
    transport: Transport,
    local?: SocketEndpoint,
  ) {
    this.#local = local;
    this.#thread = thread;
    this.#fd = fd;
    this.#watch = watch;
    this.remoteAddress = remote;
    this.#transport = transport;
    this.#output = new OutputBuffer(thread.chunks);
  }

  get fd(): number {
    return this.#fd;
  }

  get bufferedBytes(): number {
    return this.#output.bytes + this.#transport.heldBytes;
  }

  /** Known after the close if it was asked for before: most connections are never asked, and it is a system call. */
  get localAddress(): SocketEndpoint {
    if (this.#local === undefined && this.#fd >= 0) this.#local = localEndpoint(this.#fd);
    return this.#local ?? UNKNOWN;
  }

  setHandler(handler: ChannelHandler): void {
    const isFirst = this.#handler === undefined;
    this.#handler = handler;
    if (!isFirst) return;
    // It closed between accept and now; the handler must still learn of it, and not inside this call.
    if (this.#fd < 0) this.#thread.loop.defer(() => handler.onClose(this.#error));
    else this.#readLater();
  }

  write(slice: Uint8Array): boolean {
    if (this.#ending || this.#fd < 0) return false;
    if (slice.length >= DIRECT_BYTES && this.#writable) this.#writeLarge(slice);
    else this.#output.append(slice);
    return this.#afterWrite();
  }

  writeOwned(slice: Uint8Array): boolean {
    return this.write(slice);
  }

  end(): void {
    if (this.#ending || this.#fd < 0) return;
    this.#ending = true;
    this.#flushLater();
  }

  abort(reason: ChannelError): void {
    if (this.#fd < 0) return;
    resetOnClose(this.#fd);
    this.#close(reason);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#handler !== undefined && this.#readable) this.#readLater();
  }

  relayTo(to: ByteChannel, handler: RelayHandler): void {
    if (!(to instanceof NativeChannel) || to.#thread !== this.#thread) return;
    if (!this.#transport.isPlain || !to.#transport.isPlain) return;
    this.#relay = this.#newRelay(to, handler);
  }

  #newRelay(to: NativeChannel, handler: RelayHandler): Relay {
    return new Relay(this.#thread, to, {
      onRelayed: bytes => handler.onRelayed(bytes),
      onRest: slice => {
        if (this.#handler !== undefined) this.#deliver(this.#handler, slice);
      },
    });
  }

  // === for a relay to here ===

  get relayFd(): number {
    return this.#writable && !this.#ending && this.#output.bytes === 0 ? this.#fd : -1;
  }

  onRelayBlocked(): void {
    this.#writable = false;
  }

  // === for the loop ===

  /** What the kernel has told the former owner of the descriptor, and will not tell again. */
  inherit(flags: number): void {
    if ((flags & END_FLAGS) !== 0) this.#endAnnounced = true;
  }

  onReady(flags: number): void {
    this.inherit(flags);
    if ((flags & EpollFlag.out) !== 0 && !this.#writable) this.#onWritable();
    if ((flags & ~EpollFlag.out) === 0) return;
    this.#readable = true;
    if (!this.#queuedForRead) this.#read();
  }

  onAgain(): void {
    this.#queuedForRead = false;
    this.#read();
  }

  flush(): void {
    this.#queuedForFlush = false;
    if (this.#fd < 0) return;
    if (this.#writable && this.#transport.heldBytes > 0) this.#took(this.#transport.sendHeld(), false);
    this.#sendQueued();
    if (this.#fd < 0) return;
    if (this.#blocked && this.bufferedBytes <= HIGH_WATER_BYTES / 2) this.#drained();
    if (this.bufferedBytes > 0) return;
    if (this.#ending && !this.#finished && this.#writable) this.#finish();
  }

  #sendQueued(): void {
    while (this.#output.bytes > 0 && this.#writable && this.#fd >= 0)
      this.#took(this.#transport.send(this.#output.address, this.#output.length), true);
  }

  /** Gives up the descriptor, which nothing has been read from, for TLS to take over. What was written goes out before. */
  release(to: NativeThread, owner: Pollable): ReleasedSocket {
    if (this.#output.bytes > 0) this.#sendBeforeTls();
    const fd = this.#fd;
    let watch = this.#watch;
    this.#fd = -1;
    if (fd >= 0 && to !== this.#thread) {
      this.#thread.loop.unwatch(fd, watch, true);
      watch = to.loop.watchStream(fd, owner);
    } else if (fd >= 0) to.loop.handOver(watch, owner);
    return { fd, watch, flags: this.#endAnnounced ? EpollFlag.rdhup : 0, local: this.#local };
  }

  /** A new connection takes a few bytes at once: one that does not is given up. */
  #sendBeforeTls(): void {
    this.flush();
    if (this.#output.bytes > 0)
      this.abort(new ChannelError('io', 'what was written could not be sent before TLS'));
  }

  // === reading ===

  #readLater(): void {
    if (this.#queuedForRead) return;
    this.#queuedForRead = true;
    this.#thread.loop.again(this);
  }

  #read(): void {
    const handler = this.#handler;
    const memory = this.#thread.readMemory;
    let budget = TURN_BUDGET_BYTES;
    while (handler !== undefined && !this.#paused && this.#readable && this.#fd >= 0 && !this.#readEnded) {
      if (budget <= 0) return this.#readLater();
      if (this.#relay?.isDue === true) {
        budget -= this.#readByRelay(this.#relay, handler);
        continue;
      }
      const count = this.#transport.receive(memory, READ_OFFSET);
      budget -= this.#transport.received;
      // What TLS had to answer to that did not go out at once.
      if (this.#transport.heldBytes > 0) this.#writable = false;
      if (count > 0) {
        if (this.#transport.mayHaveMore) this.#relay?.onFullRead();
        else if (!this.#endAnnounced) this.#readable = false;
        this.#deliver(handler, memory.bytes.subarray(READ_OFFSET, READ_OFFSET + count));
      } else if (count === WOULD_BLOCK) this.#readable = false;
      else if (count === 0) this.#onEnd(handler);
      else if (count !== NOTHING_YET) this.#onFailure();
    }
  }

  #readByRelay(relay: Relay, handler: ChannelHandler): number {
    const count = relay.move(this.#fd);
    if (count === WOULD_BLOCK) this.#readable = false;
    else if (count === 0) this.#onEnd(handler);
    else if (count === FAILED) this.#onFailure(relay.failure);
    else if (count === UNABLE) this.#relay = undefined;
    return Math.max(0, count);
  }

  /** A fault of the receiver ends its connection, and no other. */
  #deliver(handler: ChannelHandler, slice: Buffer): void {
    try {
      handler.onData(slice);
    } catch (error) {
      this.#fault(error);
    }
  }

  #onEnd(handler: ChannelHandler): void {
    this.#readEnded = true;
    try {
      handler.onEnd();
    } catch (error) {
      this.#fault(error);
    }
    this.#closeIfDone();
  }

  #fault(error: unknown): void {
    const text = errorMessage(error);
    const reason = new ChannelError('io', `internal error on a connection: ${text}`, { cause: error });
    this.#thread.onFault(reason);
    this.abort(reason);
  }

  // === writing ===

  #writeLarge(slice: Uint8Array): void {
    const queued = this.#output.bytes;
    if (queued === 0 && this.#transport.sendSlice !== undefined)
      return this.#writeRest(slice, this.#sendAll(slice));
    const at = this.#thread.offsetInReadMemory(slice);
    if (at < queued || queued > MAX_BORROWED_BYTES || queued !== this.#output.length)
      this.#output.append(slice);
    else this.#sendInPlace(at, slice.length);
  }

  /**
   * What is queued (a frame header) takes the place of the bytes before a slice of the read memory, so that both leave in
   * one piece without a copy. Those bytes may be payload that somebody still wants: they are put back.
   */
  #sendInPlace(offset: number, length: number): void {
    const memory = this.#thread.readMemory;
    const borrowed = this.#thread.borrowed;
    const queued = this.#output.bytes;
    memory.bytes.copy(borrowed, 0, offset - queued, offset);
    this.#output.moveBefore(memory.bytes, offset);
    const end = offset + length;
    let at = offset - queued;
    while (at < end && this.#writable && this.#fd >= 0) {
      const count = this.#transport.send(memory.at(at), end - at);
      this.#took(count, false);
      if (count > 0) at += count;
    }
    if (at < end && this.#fd >= 0) this.#output.append(memory.bytes.subarray(at, end));
    borrowed.copy(memory.bytes, offset - queued, 0, queued);
  }

  #sendAll(slice: Uint8Array): number {
    const count = this.#transport.sendSlice?.(slice) ?? 0;
    this.#took(count, false);
    return Math.max(0, count);
  }

  #writeRest(slice: Uint8Array, sent: number): void {
    if (this.#fd < 0 || sent === slice.length) return;
    this.#writable = false;
    this.#output.append(sent === 0 ? slice : slice.subarray(sent));
  }

  /** Accounts the result of a send. */
  #took(count: number, isFromQueue: boolean): void {
    if (count === FAILED) return this.#onFailure();
    if (isFromQueue && count > 0) this.#output.consume(count);
    // What the transport still holds goes before anything else, once the kernel has room again.
    if (count === WOULD_BLOCK || this.#transport.heldBytes > 0) this.#writable = false;
  }

  #afterWrite(): boolean {
    if (this.#fd < 0) return false;
    const { bytes } = this.#output;
    if (bytes === 0) return !this.#blocked;
    if (bytes >= FLUSH_NOW_BYTES && this.#writable) this.#sendQueued();
    if (this.#output.bytes > 0) this.#flushLater();
    if (this.bufferedBytes >= HIGH_WATER_BYTES) this.#blocked = true;
    return !this.#blocked;
  }

  #flushLater(): void {
    if (this.#queuedForFlush) return;
    this.#queuedForFlush = true;
    this.#thread.loop.flushLater(this);
  }

  #onWritable(): void {
    this.#writable = true;
    this.flush();
  }

  #drained(): void {
    this.#blocked = false;
    try {
      this.#handler?.onDrain();
    } catch (error) {
      this.#fault(error);
    }
  }

  #finish(): void {
    const result = this.#transport.finish(this.#readEnded);
    if (result === 0) {
      this.#finished = true;
      this.#closeIfDone();
    } else this.#took(result, false);
  }

  // === the end ===

  #closeIfDone(): void {
    if (this.#readEnded && this.#finished && this.#fd >= 0) this.#close(undefined);
  }

  #onFailure(failure = this.#transport.failure): void {
    const error = transportError(failure, 'connection with', this.remoteAddress);
    if (this.#fd >= 0) this.#close(error);
  }

  #close(error: ChannelError | undefined): void {
    this.#error = error;
    this.#ending = true;
    this.#output.clear();
    this.#transport.release();
    this.#thread.loop.unwatch(this.#fd, this.#watch);
    this.#thread.close(this.#fd);
    this.#fd = -1;
    const handler = this.#handler;
    // After the call that led here, which may be one of the handler's own.
    if (handler !== undefined) this.#thread.loop.defer(() => this.#handler?.onClose(error));
  }
}
