import type { StreamState } from './stream-state.ts';

/** Streams waiting for their turn to send, first in first out, each at most once; removal anywhere is O(1). */
export class StreamQueue {
  #head: StreamState | undefined;
  #tail: StreamState | undefined;

  get head(): StreamState | undefined {
    return this.#head;
  }

  push(stream: StreamState): void {
    if (stream.isQueued) return;
    stream.isQueued = true;
    stream.previous = this.#tail;
    if (this.#tail === undefined) this.#head = stream;
    else this.#tail.next = stream;
    this.#tail = stream;
  }

  remove(stream: StreamState): void {
    if (!stream.isQueued) return;
    stream.isQueued = false;
    if (stream.previous === undefined) this.#head = stream.next;
    else stream.previous.next = stream.next;
    if (stream.next === undefined) this.#tail = stream.previous;
    else stream.next.previous = stream.previous;
    stream.previous = undefined;
    stream.next = undefined;
  }
}
