/** How many handshakes run and wait, for metrics. */
export interface HandshakeCounts {
  readonly active: number;
  readonly waiting: number;
  readonly startedTotal: number;
  readonly rejectedTotal: number;
}

/**
 * A handshake costs some tenths of a millisecond of CPU that a stranger can ask for. No more than `maxActive` go on at
 * a time, `maxWaiting` more wait in order of arrival, and what comes on top is turned away at once.
 */
export class HandshakeLimiter {
  readonly #maxActive: number;
  readonly #maxWaiting: number;
  readonly #waiting = new Set<() => void>();
  #active = 0;
  #startedTotal = 0;
  #rejectedTotal = 0;

  constructor(maxActive: number, maxWaiting: number) {
    this.#maxActive = maxActive;
    this.#maxWaiting = maxWaiting;
  }

  /** Calls `start` now or when a place is free. @returns false, never having called it, when the queue is full. */
  enter(start: () => void): boolean {
    if (this.#active < this.#maxActive) {
      this.#begin(start);
      return true;
    }
    if (this.#waiting.size >= this.#maxWaiting) {
      this.#rejectedTotal++;
      return false;
    }
    this.#waiting.add(start);
    return true;
  }

  /** The caller gave up: leaves the queue, or gives its place to the next one. Call it exactly once per `enter`. */
  leave(start: () => void): void {
    if (this.#waiting.delete(start)) return;
    this.#active--;
    const [next] = this.#waiting;
    if (next === undefined) return;
    this.#waiting.delete(next);
    this.#begin(next);
  }

  get counts(): HandshakeCounts {
    return {
      active: this.#active,
      waiting: this.#waiting.size,
      startedTotal: this.#startedTotal,
      rejectedTotal: this.#rejectedTotal,
    };
  }

  #begin(start: () => void): void {
    this.#active++;
    this.#startedTotal++;
    start();
  }
}
