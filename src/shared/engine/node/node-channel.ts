import type { Socket } from 'node:net';
import { type ByteChannel, ChannelError, type ChannelHandler, type SocketEndpoint } from '../channel.ts';
import type { ChunkPool } from '../chunk-pool.ts';
import type { FlushQueue } from './flush-queue.ts';
import { channelErrorFrom } from '../transport-error.ts';
import { OutputQueue } from './output-queue.ts';
import { canonicalEndpoint } from './socket-endpoint.ts';

/** Above it `write` returns false; `onDrain` comes at half of it. */
const HIGH_WATER_BYTES = 512 * 1024;

/**
 * From here on output does not wait for the end of the turn: it is enough for one system call, still in the cache, and
 * the other side can work on it while we read on (measured: a quarter more throughput than whole turns at a time).
 */
const FLUSH_NOW_BYTES = 64 * 1024;

/** What every channel of one thread shares. */
export interface ChannelContext {
  readonly flushQueue: FlushQueue;
  readonly chunks: ChunkPool<Buffer>;
}

/** What is under a socket: itself, or what its TLS runs over. */
export interface SocketTransport {
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  /** As of a `ByteChannel`. */
  readonly isRetiring?: boolean | undefined;
  /** Throws where there is nothing left to reset. */
  resetAndDestroy(reason: ChannelError): unknown;
}

/**
 * A byte channel over a Node socket, TCP or TLS. It keeps its own output queue and gives the socket one (gathered) write
 * at a time: the socket's stream machinery then never holds more than that, and memory stays bounded and countable.
 */
export class NodeChannel implements ByteChannel {
  readonly localAddress: SocketEndpoint;
  readonly remoteAddress: SocketEndpoint;
  readonly readsAreOwned: boolean;
  readonly #socket: Socket;
  readonly #transport: SocketTransport;
  readonly #context: ChannelContext;
  readonly #output: OutputQueue;
  readonly #inFlightChunks: Buffer[] = [];
  readonly #segments: Buffer[] = [];
  #inFlightBytes = 0;
  #handler: ChannelHandler | undefined;
  #queued = false;
  #blocked = false;
  #paused = false;
  /** Copies of what came while nobody wanted it: the socket may deliver a little more after it was paused. */
  readonly #held: Buffer[] = [];
  #endHeld = false;
  #ending = false;
  #finished = false;
  #closed = false;
  #error: ChannelError | undefined;

  constructor(socket: Socket, transport: SocketTransport, context: ChannelContext, readsAreOwned: boolean) {
    this.#socket = socket;
    this.#transport = transport;
    this.#context = context;
    this.#output = new OutputQueue(context.chunks);
    this.readsAreOwned = readsAreOwned;
    this.localAddress = canonicalEndpoint(transport.localAddress, transport.localPort);
    this.remoteAddress = canonicalEndpoint(transport.remoteAddress, transport.remotePort);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
  }

  get isRetiring(): boolean {
    return this.#transport.isRetiring === true;
  }

  get bufferedBytes(): number {
    return this.#output.bytes + this.#inFlightBytes;
  }

  setHandler(handler: ChannelHandler): void {
    const first = this.#handler === undefined;
    this.#handler = handler;
    if (!first) return;
    if (this.#closed) {
      // It closed between accept and now; the handler must still learn of it, and not inside this call.
      process.nextTick(() => handler.onClose(this.#error));
      return;
    }
    // The peer may have ended while nobody listened.
    if (this.#socket.readableEnded) process.nextTick(this.#onEnd);
    else this.#socket.on('end', this.#onEnd);
    if (this.readsAreOwned) this.#socket.on('data', this.#onData);
    if (!this.#paused) this.#readOn();
  }

  write(slice: Uint8Array): boolean {
    if (this.#ending || this.#closed) return false;
    this.#output.append(slice);
    return this.#afterAppend();
  }

  writeOwned(slice: Uint8Array): boolean {
    if (this.#ending || this.#closed) return false;
    this.#output.appendOwned(slice);
    return this.#afterAppend();
  }

  end(): void {
    if (this.#ending || this.#closed) return;
    this.#ending = true;
    this.#schedule();
  }

  abort(reason: ChannelError): void {
    if (this.#closed || this.#error !== undefined) return;
    this.#error = reason;
    this.#ending = true;
    this.#output.clear();
    this.#reset(reason);
  }

  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#handler === undefined || this.#closed) return;
    this.#readOn();
  }

  /** Gives the socket everything gathered, unless it is still busy with the last write. For the flush queue. */
  flush(): void {
    this.#queued = false;
    if (this.#inFlightBytes > 0 || this.#closed || this.#error !== undefined) return;
    if (this.#output.bytes > 0) this.#send();
    else if (this.#ending && !this.#finished) this.#finish();
  }

  /** Delivers bytes that were read into memory shared by sockets of the thread. For sockets with `onread`. */
  deliver(slice: Buffer): void {
    const handler = this.#handler;
    if (handler !== undefined && !this.#paused && this.#held.length === 0) {
      handler.onData(slice);
      return;
    }
    this.#held.push(Buffer.from(slice));
    this.#socket.pause();
  }

  /** Gives up the socket, which nothing has been read from, for TLS to take over. What was written goes out before. */
  release(): Socket {
    this.flush();
    this.#socket.off('error', this.#onError);
    this.#socket.off('close', this.#onClose);
    this.#closed = true;
    return this.#socket;
  }

  protected get socket(): Socket {
    return this.#socket;
  }

  #afterAppend(): boolean {
    if (this.#output.bytes >= FLUSH_NOW_BYTES && this.#inFlightBytes === 0) this.#send();
    else this.#schedule();
    if (this.bufferedBytes >= HIGH_WATER_BYTES) this.#blocked = true;
    return !this.#blocked;
  }

  #schedule(): void {
    if (this.#queued || this.#inFlightBytes > 0) return;
    this.#queued = true;
    this.#context.flushQueue.add(this);
  }

  #send(): void {
    const socket = this.#socket;
    const segments = this.#segments;
    this.#inFlightBytes = this.#output.drainInto(segments, this.#inFlightChunks);
    const last = segments.length - 1;
    if (last > 0) socket.cork();
    for (let i = 0; i < last; i++) socket.write(segments[i] ?? Buffer.alloc(0));
    socket.write(segments[last] ?? Buffer.alloc(0), this.#onWritten);
    if (last > 0) socket.uncork();
    segments.length = 0;
  }

  #finish(): void {
    this.#finished = true;
    this.#socket.end();
  }

  /** What is held comes first, and never inside the call that asked for it. */
  #readOn(): void {
    if (this.#held.length > 0 || this.#endHeld) process.nextTick(this.#deliverHeld);
    else this.#socket.resume();
  }

  readonly #deliverHeld = (): void => {
    while (this.#held.length > 0) {
      if (this.#paused || this.#closed) return;
      const slice = this.#held.shift();
      if (slice !== undefined) this.#handler?.onData(slice);
    }
    if (this.#paused) return;
    if (this.#endHeld) {
      this.#endHeld = false;
      this.#onEnd();
    }
    this.#socket.resume();
  };

  #reset(reason: ChannelError): void {
    try {
      this.#transport.resetAndDestroy(reason);
    } catch {
      // The handle is gone already or is no TCP handle: an ordinary close is all that is left.
      this.#socket.destroy();
    }
  }

  readonly #onData = (slice: Buffer): void => {
    this.#handler?.onData(slice);
  };

  readonly #onEnd = (): void => {
    if (this.#closed || this.#error !== undefined) return;
    if (this.#paused || this.#held.length > 0) this.#endHeld = true;
    else this.#handler?.onEnd();
  };

  readonly #onWritten = (error?: Error | null): void => {
    this.#inFlightBytes = 0;
    if ((error !== null && error !== undefined) || this.#closed) {
      // A cancelled write may still refer to its memory: it is left to the garbage collector.
      this.#inFlightChunks.length = 0;
      return;
    }
    this.#output.release(this.#inFlightChunks);
    // Not through the flush queue: the socket was busy for at least a turn, so what waits has been gathered already.
    if (!this.#queued) this.flush();
    if (this.#blocked && this.bufferedBytes <= HIGH_WATER_BYTES / 2) {
      this.#blocked = false;
      this.#handler?.onDrain();
    }
  };

  readonly #onError = (error: Error): void => {
    this.#error ??= channelErrorFrom(error, 'connection with', this.remoteAddress);
    this.#socket.destroy();
  };

  readonly #onClose = (): void => {
    if (this.#closed) return;
    this.#closed = true;
    this.#output.clear();
    if (this.#error === undefined && !(this.#socket.readableEnded && this.#socket.writableFinished))
      this.#error = new ChannelError('reset', 'the connection closed before both directions had ended');
    this.#handler?.onClose(this.#error);
  };
}
