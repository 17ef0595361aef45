import type { FrameWriter } from './frame-writer.ts';
import { DEFAULT_WINDOW_BYTES } from './frame.ts';
import type { Http2Options } from './options.ts';
import type { StreamState } from './stream-state.ts';

/** Credit is returned in portions of this share of a window: rarer frames, and the sender never runs dry before. */
const UPDATE_SHARE = 4;

/**
 * Flow control of what we receive. A stream's credit returns as the application consumes; the connection's returns at
 * once, so that a slow stream costs the others nothing, up to a bound on all that is unconsumed.
 */
export class Inbound {
  readonly #writer: FrameWriter;
  readonly #options: Http2Options;
  readonly #connectionPortion: number;
  readonly #streamPortion: number;
  /** What we let the peer send on the whole connection. */
  #window = DEFAULT_WINDOW_BYTES;
  /** Received, and not yet announced by WINDOW_UPDATE. */
  #owedBytes = 0;
  #unconsumedBytes = 0;

  constructor(writer: FrameWriter, options: Http2Options) {
    this.#writer = writer;
    this.#options = options;
    this.#connectionPortion = Math.max(1, Math.floor(options.connectionWindowBytes / UPDATE_SHARE));
    this.#streamPortion = Math.max(1, Math.floor(options.streamWindowBytes / UPDATE_SHARE));
  }

  /** Over all streams; bounded by `maxUnconsumedBytes` and the connection's window. */
  get unconsumedBytes(): number {
    return this.#unconsumedBytes;
  }

  /** Widens the connection's window from the protocol's default to ours. */
  start(): void {
    const increment = this.#options.connectionWindowBytes - this.#window;
    if (increment <= 0) return;
    this.#window += increment;
    this.#writer.windowUpdate(0, increment);
  }

  /** A DATA frame began. @returns false when it is more than the connection's window holds. */
  receive(bytes: number): boolean {
    this.#window -= bytes;
    this.#owedBytes += bytes;
    return this.#window >= 0;
  }

  /** Payload was handed to the application. */
  delivered(stream: StreamState, bytes: number): void {
    stream.unconsumedBytes += bytes;
    this.#unconsumedBytes += bytes;
    this.returnConnectionCredit();
  }

  consumed(stream: StreamState, bytes: number): void {
    const counted = Math.min(bytes, stream.unconsumedBytes);
    stream.unconsumedBytes -= counted;
    this.#unconsumedBytes -= counted;
    this.returnStreamCredit(stream, counted);
    this.returnConnectionCredit();
  }

  /** The stream is over: what the application still holds of it no longer counts. */
  forget(stream: StreamState): void {
    this.#unconsumedBytes -= stream.unconsumedBytes;
    stream.unconsumedBytes = 0;
    this.returnConnectionCredit();
  }

  /** Without passing through the application: padding. */
  returnStreamCredit(stream: StreamState, bytes: number): void {
    stream.owedBytes += bytes;
    if (stream.owedBytes < this.#streamPortion || stream.remoteEnded) return;
    stream.receiveWindow += stream.owedBytes;
    this.#writer.windowUpdate(stream.id, stream.owedBytes);
    stream.owedBytes = 0;
  }

  returnConnectionCredit(): void {
    const withheld = Math.max(0, this.#unconsumedBytes - this.#options.maxUnconsumedBytes);
    const due = this.#owedBytes - withheld;
    if (due < this.#connectionPortion) return;
    this.#owedBytes -= due;
    this.#window += due;
    this.#writer.windowUpdate(0, due);
  }
}
