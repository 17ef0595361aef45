import { ByteQueue } from '../engine/byte-queue.ts';
import type { BodySink } from '../http/exchange.ts';
import type { HeaderList } from '../http/headers.ts';
import type { Http2Stream } from './stream.ts';

/**
 * Hands a stream's DATA to a body sink. While the sink wants a pause, what is under way already is kept here; its credit
 * is not returned, so that it is never more than the stream's window.
 */
export class BodyReceiver {
  readonly #stream: Http2Stream;
  readonly #sink: BodySink;
  /** Made when something has to be kept for the first time. */
  #held: ByteQueue | undefined;
  #trailers: HeaderList | undefined;
  #isPaused = false;
  #isDelivering = false;
  /** Delivered in the call that asked for the pause; consumed when it ends. */
  #owedBytes = 0;
  #isStopped = false;

  constructor(stream: Http2Stream, sink: BodySink) {
    this.#stream = stream;
    this.#sink = sink;
  }

  data(slice: Buffer): void {
    if (this.#isStopped) this.#stream.consume(slice.length);
    else if (this.#isPaused || this.#holds) (this.#held ??= new ByteQueue()).append(slice);
    else this.#deliver(slice);
  }

  end(trailers: HeaderList): void {
    this.#trailers = trailers;
    if (!this.#isPaused && !this.#holds) this.#finish();
  }

  resume(): void {
    this.#isPaused = false;
    this.#stream.consume(this.#owedBytes);
    this.#owedBytes = 0;
    // A sink that resumes while it is being called finds its turn in the loop below, not in another one inside it.
    if (this.#isDelivering) return;
    this.#deliverHeld();
    if (!this.#isPaused && !this.#holds && this.#trailers !== undefined) this.#finish();
  }

  /** The sink hears nothing more; what still comes is passed over. */
  stop(): void {
    this.#isStopped = true;
    this.#held?.clear();
    this.#trailers = undefined;
  }

  get #holds(): boolean {
    return this.#held !== undefined && this.#held.bytes > 0;
  }

  #deliverHeld(): void {
    const held = this.#held;
    if (held === undefined) return;
    while (!this.#isPaused) {
      const slice = held.take();
      if (slice === undefined) return;
      this.#deliver(slice);
      held.release();
    }
  }

  #deliver(slice: Buffer): void {
    this.#isDelivering = true;
    this.#isPaused = true;
    const mayGoOn = this.#sink.onBody(slice);
    this.#isDelivering = false;
    // `resume` within the call has cleared the pause already.
    if (mayGoOn) this.#isPaused = false;
    if (this.#isPaused) this.#owedBytes += slice.length;
    else this.#stream.consume(slice.length);
  }

  #finish(): void {
    const trailers = this.#trailers ?? [];
    this.#trailers = undefined;
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#sink.onBodyEnd(trailers);
  }
}
