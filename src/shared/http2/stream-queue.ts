import type { WaitingOutput } from './waiting-output.ts';

/** Streams waiting for their turn to send, first in first out, each at most once; removal anywhere is O(1). */
export class StreamQueue {
  #head: WaitingOutput | undefined;
  #tail: WaitingOutput | undefined;

  get head(): WaitingOutput | undefined {
    return this.#head;
  }

  push(output: WaitingOutput): void {
    if (output.isQueued) return;
    output.isQueued = true;
    output.previous = this.#tail;
    if (this.#tail === undefined) this.#head = output;
    else this.#tail.next = output;
    this.#tail = output;
  }

  remove(output: WaitingOutput): void {
    if (!output.isQueued) return;
    output.isQueued = false;
    if (output.previous === undefined) this.#head = output.next;
    else output.previous.next = output.next;
    if (output.next === undefined) this.#tail = output.previous;
    else output.next.previous = output.previous;
    output.previous = undefined;
    output.next = undefined;
  }
}
