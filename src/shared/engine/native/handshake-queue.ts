import type { EventLoop, Pollable } from './event-loop.ts';

/** A handshake that can go on. */
export interface HandshakeStep {
  step(): void;
}

/** A step with signatures takes some tenths of a millisecond: traffic waits for no more than this many of them. */
const STEPS_PER_TURN = 4;
/** Places at the front of the array that are given back in one go. */
const COMPACT_AT = 1024;

/**
 * Handshakes that can go on, oldest first, a few a turn: however many strangers begin one at a time, the connections
 * that are established have most of every turn.
 */
export class HandshakeQueue implements Pollable {
  readonly #loop: EventLoop;
  readonly #waiting: HandshakeStep[] = [];
  #next = 0;
  #scheduled = false;

  constructor(loop: EventLoop) {
    this.#loop = loop;
  }

  get length(): number {
    return this.#waiting.length - this.#next;
  }

  /** The caller must not be in the queue already. */
  add(step: HandshakeStep): void {
    this.#waiting.push(step);
    this.#schedule();
  }

  onReady(): void {}

  onAgain(): void {
    this.#scheduled = false;
    for (let i = 0; i < STEPS_PER_TURN && this.length > 0; i++) this.#waiting[this.#next++]?.step();
    if (this.length === 0) {
      this.#waiting.length = 0;
      this.#next = 0;
    } else {
      if (this.#next >= COMPACT_AT) {
        this.#waiting.splice(0, this.#next);
        this.#next = 0;
      }
      this.#schedule();
    }
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#loop.again(this);
  }
}
