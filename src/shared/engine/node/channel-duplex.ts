import { Duplex } from 'node:stream';
import type { Clock } from '../../lifecycle/clock.ts';
import { type ByteChannel, ChannelError, type ChannelHandler } from '../channel.ts';
import { closeGently } from '../close-gently.ts';
import { READABLE_HIGH_WATER_BYTES } from './socket-options.ts';

/** A byte channel as the stream that `node:tls` runs on where it has no socket. Takes the channel over. */
export class ChannelDuplex extends Duplex implements ChannelHandler {
  readonly #channel: ByteChannel;
  readonly #clock: Clock;
  /** Of the write that the channel has taken and has not made room behind. */
  #written: (() => void) | undefined;
  #closed = false;

  constructor(channel: ByteChannel, clock: Clock) {
    // With `autoDestroy` the end of both directions would close the TLS socket over it, whatever that has still to be read of it.
    super({ readableHighWaterMark: READABLE_HIGH_WATER_BYTES, allowHalfOpen: true, autoDestroy: false });
    this.#channel = channel;
    this.#clock = clock;
    channel.setHandler(this);
  }

  // === as the transport of a `NodeChannel` ===

  get isRetiring(): boolean {
    return this.#channel.isRetiring === true;
  }

  get localAddress(): string {
    return this.#channel.localAddress.ip;
  }

  get localPort(): number {
    return this.#channel.localAddress.port;
  }

  get remoteAddress(): string {
    return this.#channel.remoteAddress.ip;
  }

  get remotePort(): number {
    return this.#channel.remoteAddress.port;
  }

  resetAndDestroy(reason: ChannelError): void {
    this.#closed = true;
    this.#channel.abort(reason);
    this.destroy();
  }

  // === for the channel ===

  onData(slice: Buffer): void {
    const chunk = this.#channel.readsAreOwned ? slice : Buffer.from(slice);
    if (!this.push(chunk)) this.#channel.pause();
  }

  onEnd(): void {
    this.push(null);
  }

  onDrain(): void {
    const written = this.#written;
    this.#written = undefined;
    written?.();
  }

  onClose(error: ChannelError | undefined): void {
    this.#closed = true;
    if (error !== undefined) this.destroy(error);
  }

  // === for the stream ===

  override _read(): void {
    this.#channel.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    // What TLS has encrypted is nobody's else.
    if (this.#channel.writeOwned(chunk)) callback();
    else this.#written = callback;
  }

  override _final(callback: () => void): void {
    this.#channel.end();
    callback();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (!this.#closed) {
      const reason =
        error instanceof ChannelError ? error : new ChannelError('aborted', 'TLS in it has ended');
      closeGently(this.#channel, reason, this.#clock);
    }
    this.#closed = true;
    callback(error);
  }
}
