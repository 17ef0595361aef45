import type { ByteChannel, ChannelError, ChannelHandler, SocketEndpoint } from '#shared/engine/channel.ts';

/** Looks at what has arrived so far; anything but undefined ends the peeking. */
export type Look = (first: Buffer, ended: boolean) => void;

/**
 * A channel whose first bytes can be looked at before its handler is known. What arrived until then is given to the handler
 * that is set, in a microtask of its own, so that the handler's owner is fully made by then. A second one may be put on top, for
 * another look.
 */
export class PeekedChannel implements ByteChannel, ChannelHandler {
  readonly #inner: ByteChannel;
  readonly #look: Look;
  #first: Buffer = EMPTY;
  #ended = false;
  #closed: { readonly error: ChannelError | undefined } | undefined;
  #handler: ChannelHandler | undefined;
  #handedOver = false;

  constructor(inner: ByteChannel, look: Look) {
    this.#inner = inner;
    this.#look = look;
  }

  /** Starts reading. */
  start(): void {
    this.#inner.setHandler(this);
  }

  setHandler(handler: ChannelHandler): void {
    const taken = this.#handler !== undefined;
    this.#handler = handler;
    if (this.#handedOver && this.#closed === undefined) this.#inner.setHandler(handler);
    if (!taken) queueMicrotask(() => this.#handOver());
  }

  #handOver(): void {
    const handler = this.#handler;
    if (handler === undefined) return;
    this.#handedOver = true;
    const first = this.#first;
    this.#first = EMPTY;
    if (first.length > 0) handler.onData(first);
    if (this.#ended) handler.onEnd();
    if (this.#closed === undefined) this.#inner.setHandler(handler);
    else handler.onClose(this.#closed.error);
  }

  // --- from the inner channel, until it is handed over

  onData(slice: Buffer): void {
    this.#first = this.#first.length === 0 ? Buffer.from(slice) : Buffer.concat([this.#first, slice]);
    if (this.#handler === undefined) this.#look(this.#first, false);
  }

  onEnd(): void {
    this.#ended = true;
    if (this.#handler === undefined) this.#look(this.#first, true);
  }

  onDrain(): void {
    this.#handler?.onDrain();
  }

  onClose(error: ChannelError | undefined): void {
    this.#closed = { error };
    if (this.#handler === undefined) this.#look(this.#first, true);
  }

  // --- to the inner channel

  get closed(): boolean {
    return this.#closed !== undefined;
  }

  write(slice: Uint8Array): boolean {
    return this.#inner.write(slice);
  }

  writeOwned(slice: Uint8Array): boolean {
    return this.#inner.writeOwned(slice);
  }

  end(): void {
    this.#inner.end();
  }

  abort(reason: ChannelError): void {
    this.#inner.abort(reason);
  }

  pause(): void {
    this.#inner.pause();
  }

  resume(): void {
    this.#inner.resume();
  }

  get bufferedBytes(): number {
    return this.#inner.bufferedBytes;
  }

  get localAddress(): SocketEndpoint {
    return this.#inner.localAddress;
  }

  get remoteAddress(): SocketEndpoint {
    return this.#inner.remoteAddress;
  }

  /** The first slice is a copy of ours, the others are the channel's. */
  get readsAreOwned(): boolean {
    return this.#inner.readsAreOwned;
  }
}

const EMPTY = Buffer.alloc(0);
