import { ByteQueue } from '#shared/engine/byte-queue.ts';
import {
  type ByteChannel,
  ChannelError,
  type ChannelHandler,
  type SocketEndpoint,
} from '#shared/engine/channel.ts';
import { type ClientExchange, ExchangeError } from '#shared/http/exchange.ts';

const UNKNOWN: SocketEndpoint = { ip: '', port: 0 };

/**
 * The bodies of an exchange as a byte channel, of whatever version of HTTP: what is written goes into the request, what is read
 * comes from the response. Who has the exchange tells what arrives; what comes while nobody wants it is held.
 */
export class ExchangeChannel implements ByteChannel {
  /** The exchange's connection has what is not sent yet. */
  readonly bufferedBytes = 0;
  readonly localAddress = UNKNOWN;
  readonly remoteAddress: SocketEndpoint;
  readonly readsAreOwned = false;
  readonly #exchange: ClientExchange;
  readonly #held = new ByteQueue();
  #handler: ChannelHandler | undefined;
  #paused = false;
  #responseEnded = false;
  #endDelivered = false;
  #requestEnded = false;
  #delivering = false;
  #closed = false;
  #error: ChannelError | undefined;

  constructor(exchange: ClientExchange, remoteAddress: SocketEndpoint) {
    this.#exchange = exchange;
    this.remoteAddress = remoteAddress;
  }

  // === as a byte channel ===

  setHandler(handler: ChannelHandler): void {
    const isFirst = this.#handler === undefined;
    this.#handler = handler;
    if (isFirst) queueMicrotask(this.#closed ? this.#reportClose : this.#deliverHeld);
  }

  write(slice: Uint8Array): boolean {
    return !this.#requestEnded && !this.#closed && this.#exchange.sendBody(slice);
  }

  writeOwned(slice: Uint8Array): boolean {
    return this.write(slice);
  }

  end(): void {
    if (this.#requestEnded || this.#closed) return;
    this.#requestEnded = true;
    this.#exchange.endBody();
    this.#closeIfDone();
  }

  abort(reason: ChannelError): void {
    if (this.#closed) return;
    this.#close(reason);
    this.#exchange.abort(new ExchangeError('cancelled', reason.message, { cause: reason }));
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    queueMicrotask(this.#deliverHeld);
  }

  // === from the exchange ===

  /** @returns false: no more until the exchange is asked to resume */
  onBody(slice: Buffer): boolean {
    const handler = this.#handler;
    if (this.#closed) return true;
    if (handler === undefined || this.#paused || this.#held.bytes > 0) this.#held.append(slice);
    else handler.onData(slice);
    return handler !== undefined && !this.#paused && this.#held.bytes === 0;
  }

  onBodyEnd(): void {
    this.#responseEnded = true;
    if (this.#handler !== undefined && !this.#paused && this.#held.bytes === 0) this.#deliverEnd();
  }

  onAbort({ message }: ExchangeError): void {
    if (!this.#closed) this.#close(new ChannelError('reset', message));
  }

  onWritable(): void {
    if (!this.#closed && !this.#requestEnded) this.#handler?.onDrain();
  }

  // === delivery ===

  readonly #deliverHeld = (): void => {
    const handler = this.#handler;
    if (handler === undefined || this.#delivering) return;
    this.#delivering = true;
    while (!this.#paused && !this.#closed) {
      const slice = this.#held.take();
      if (slice === undefined) break;
      handler.onData(slice);
      this.#held.release();
    }
    this.#delivering = false;
    if (this.#paused || this.#closed || this.#held.bytes > 0) return;
    if (this.#responseEnded) this.#deliverEnd();
    else this.#exchange.resumeBody();
  };

  #deliverEnd(): void {
    if (this.#endDelivered || this.#closed) return;
    this.#endDelivered = true;
    this.#handler?.onEnd();
    this.#closeIfDone();
  }

  #closeIfDone(): void {
    if (this.#endDelivered && this.#requestEnded && !this.#closed) this.#close(undefined);
  }

  #close(error: ChannelError | undefined): void {
    this.#closed = true;
    this.#error = error;
    this.#held.clear();
    if (this.#handler !== undefined) queueMicrotask(this.#reportClose);
  }

  readonly #reportClose = (): void => {
    this.#handler?.onClose(this.#error);
  };
}
