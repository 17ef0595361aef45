import {
  type ByteChannel,
  ChannelError,
  type ChannelHandler,
  type SocketEndpoint,
} from '../engine/channel.ts';

export interface MemoryChannelOptions {
  /** Size of the next slice to deliver out of `available` bytes; everything at once when undefined. */
  readonly fragment?: (available: number) => number;
  /** `write` returns false from here on; `onDrain` comes at half of it. */
  readonly highWaterBytes?: number;
  /** True: events are delivered in microtasks. False (default): only by `flush`/`step`, wholly deterministic. */
  readonly auto?: boolean;
  readonly readsAreOwned?: boolean;
  readonly left?: SocketEndpoint;
  readonly right?: SocketEndpoint;
}

export interface MemoryChannelPair {
  readonly left: MemoryChannel;
  readonly right: MemoryChannel;
  /** Delivers one event to each side. @returns false when nothing was to be done. */
  step(): boolean;
  /** Delivers until both sides are quiet. Throws after `maxSteps`: the two ends keep each other busy for ever. */
  flush(maxSteps?: number): void;
}

/** Two connected byte channels in memory, with fragmentation, backpressure, half-close and abort. */
export function memoryChannelPair(options: MemoryChannelOptions = {}): MemoryChannelPair {
  const pair: MemoryChannelPair = {
    left: new MemoryChannel(options, 'left', () => schedule()),
    right: new MemoryChannel(options, 'right', () => schedule()),
    step() {
      const first = pair.left.deliver(pair.right);
      return pair.right.deliver(pair.left) || first;
    },
    flush(maxSteps = 1_000_000) {
      for (let i = 0; pair.step(); i++)
        if (i >= maxSteps) throw new Error(`not quiet after ${maxSteps} steps`);
    },
  };
  let scheduled = false;
  const schedule = (): void => {
    if (options.auto !== true || scheduled) return;
    scheduled = true;
    queueMicrotask(() => {
      scheduled = false;
      if (pair.step()) schedule();
    });
  };
  return pair;
}

/** One end of a pair. */
export class MemoryChannel implements ByteChannel {
  readonly localAddress: SocketEndpoint;
  readonly remoteAddress: SocketEndpoint;
  readonly readsAreOwned: boolean;
  /** Bytes ever written here, for assertions. */
  bytesWritten = 0;
  /** As if it were a tunnel. */
  isRetiring = false;
  #handler: ChannelHandler | undefined;
  #outgoing: Buffer[] = [];
  #bufferedBytes = 0;
  #blocked = false;
  #paused = false;
  #ended = false;
  #endDelivered = false;
  #closing: { readonly error: ChannelError | undefined } | undefined;
  #closed = false;
  readonly #fragment: (available: number) => number;
  readonly #highWaterBytes: number;
  readonly #wake: () => void;

  constructor(options: MemoryChannelOptions, side: 'left' | 'right', wake: () => void) {
    const left = options.left ?? { ip: '127.0.0.1', port: 10_001 };
    const right = options.right ?? { ip: '127.0.0.1', port: 10_002 };
    this.localAddress = side === 'left' ? left : right;
    this.remoteAddress = side === 'left' ? right : left;
    this.readsAreOwned = options.readsAreOwned ?? false;
    this.#fragment = options.fragment ?? (available => available);
    this.#highWaterBytes = options.highWaterBytes ?? Number.POSITIVE_INFINITY;
    this.#wake = wake;
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  get closed(): boolean {
    return this.#closed;
  }

  setHandler(handler: ChannelHandler): void {
    this.#handler = handler;
    this.#wake();
  }

  write(slice: Uint8Array): boolean {
    return this.writeOwned(Buffer.from(slice));
  }

  writeOwned(slice: Uint8Array): boolean {
    if (this.#ended || this.#closing !== undefined) return false;
    if (slice.length > 0) {
      this.#outgoing.push(Buffer.from(slice.buffer, slice.byteOffset, slice.length));
      this.#bufferedBytes += slice.length;
      this.bytesWritten += slice.length;
      this.#wake();
    }
    if (this.#bufferedBytes >= this.#highWaterBytes) this.#blocked = true;
    return !this.#blocked;
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  abort(reason: ChannelError): void {
    this.#closing ??= { error: reason };
    this.#outgoing = [];
    this.#bufferedBytes = 0;
    this.#wake();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#wake();
  }

  /** Hands this end's handler the next event that `peer` caused. For the pair only. */
  deliver(peer: MemoryChannel): boolean {
    const handler = this.#handler;
    if (this.#closed) return false;
    // Also of a channel that nobody has taken on: whoever refuses a connection has no handler to hear of it.
    if (this.#closing !== undefined) return this.#deliverClose(handler, peer, this.#closing.error);
    if (handler === undefined) return false;
    if (this.#blocked && this.#bufferedBytes <= this.#highWaterBytes / 2) {
      this.#blocked = false;
      handler.onDrain();
      return true;
    }
    if (this.#paused) return false;
    if (peer.#outgoing.length > 0) {
      handler.onData(peer.#take());
      return true;
    }
    if (!peer.#ended) return false;
    if (!this.#endDelivered) {
      this.#endDelivered = true;
      handler.onEnd();
      return true;
    }
    return this.#ended && peer.#endDelivered ? this.#deliverClose(handler, peer, undefined) : false;
  }

  #deliverClose(
    handler: ChannelHandler | undefined,
    peer: MemoryChannel,
    error: ChannelError | undefined,
  ): boolean {
    this.#closed = true;
    if (error !== undefined) {
      peer.#closing ??= { error: new ChannelError('reset', 'the other end aborted') };
      peer.#outgoing = [];
      peer.#bufferedBytes = 0;
    }
    handler?.onClose(error);
    return true;
  }

  #take(): Buffer {
    const [first] = this.#outgoing;
    if (first === undefined) throw new Error('nothing to take');
    const whole = this.#outgoing.length === 1 ? first : Buffer.concat(this.#outgoing, this.#bufferedBytes);
    const size = Math.min(whole.length, Math.max(1, this.#fragment(whole.length)));
    this.#outgoing = size === whole.length ? [] : [whole.subarray(size)];
    this.#bufferedBytes -= size;
    return whole.subarray(0, size);
  }
}
