import { ByteQueue } from '../engine/byte-queue.ts';
import type { BodySink } from '../http/exchange.ts';
import type { HeaderList } from '../http/headers.ts';
import type { Http2Stream } from './stream.ts';

/**
 * Hands a stream's DATA to a body sink. While the sink wants a pause, what is under way already is kept here; its credit
 * is not returned, so that it is never more than the stream's window.
 *
 * What exchanges of both sides have in common, and one object with them: a request that is passed on has two.
 */
export abstract class BodyReceiver<Sink extends BodySink> {
  protected stream: Http2Stream | undefined;
  /** Whoever is not there yet gets nothing. */
  protected sink: Sink | undefined;
  /** Made when something has to be kept for the first time. */
  #held: ByteQueue | undefined;
  #trailers: HeaderList | undefined;
  #isPaused = false;
  #isDelivering = false;
  /** Delivered in the call that asked for the pause; consumed when it ends. */
  #owedBytes = 0;
  #isStopped = false;

  // === from the stream ===

  onData(slice: Buffer): void {
    const { sink } = this;
    if (sink === undefined || this.#isStopped) this.stream?.consume(slice.length);
    else if (this.#isPaused || this.#holds) (this.#held ??= new ByteQueue()).append(slice);
    else this.#deliver(sink, slice);
  }

  onEnd(trailers: HeaderList): void {
    if (this.sink === undefined) return;
    this.#trailers = trailers;
    if (!this.#isPaused && !this.#holds) this.#finish();
  }

  // === from the sink ===

  resumeBody(): void {
    this.#isPaused = false;
    this.stream?.consume(this.#owedBytes);
    this.#owedBytes = 0;
    // A sink that resumes while it is being called finds its turn in the loop below, not in another one inside it.
    if (this.#isDelivering) return;
    this.#deliverHeld();
    if (!this.#isPaused && !this.#holds && this.#trailers !== undefined) this.#finish();
  }

  /** The sink hears nothing more; what still comes is passed over. */
  protected stopBody(): void {
    this.#isStopped = true;
    this.#held?.clear();
    this.#trailers = undefined;
  }

  get #holds(): boolean {
    return this.#held !== undefined && this.#held.bytes > 0;
  }

  #deliverHeld(): void {
    const held = this.#held;
    const { sink } = this;
    if (held === undefined || sink === undefined) return;
    while (!this.#isPaused) {
      const slice = held.take();
      if (slice === undefined) return;
      this.#deliver(sink, slice);
      held.release();
    }
  }

  #deliver(sink: Sink, slice: Buffer): void {
    this.#isDelivering = true;
    this.#isPaused = true;
    const mayGoOn = sink.onBody(slice);
    this.#isDelivering = false;
    // `resumeBody` within the call has cleared the pause already.
    if (mayGoOn) this.#isPaused = false;
    if (this.#isPaused) this.#owedBytes += slice.length;
    else this.stream?.consume(slice.length);
  }

  #finish(): void {
    const trailers = this.#trailers ?? [];
    this.#trailers = undefined;
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.sink?.onBodyEnd(trailers);
  }
}
