import type { Clock } from './clock.ts';

/**
 * Coordinates an orderly stop: whoever must finish before the process may exit holds a hold; starting the drain tells
 * them all; it is over when the last hold is released or the deadline has passed.
 */
export class Drain {
  readonly #clock: Clock;
  readonly #controller = new AbortController();
  readonly #holds = new Set<string>();
  #deadlineAt: number | undefined;
  #onEmpty: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Aborts when the drain starts. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get started(): boolean {
    return this.#controller.signal.aborted;
  }

  /** Milliseconds left until what still runs is cut; undefined while no drain has started. */
  get remainingMs(): number | undefined {
    return this.#deadlineAt === undefined
      ? undefined
      : Math.max(0, this.#deadlineAt - this.#clock.monotonic());
  }

  /** `name` must be unique among the holds of the moment: it is what a missed deadline is blamed on. */
  hold(name: string): { release(): void } {
    this.#holds.add(name);
    return {
      release: () => {
        this.#holds.delete(name);
        if (this.#holds.size === 0) this.#onEmpty?.();
      },
    };
  }

  /** Starts the drain once. Resolves with the names that were still held at the deadline: none when all finished. */
  async run(deadlineMs: number): Promise<readonly string[]> {
    if (this.started) throw new Error('the drain has started already');
    this.#deadlineAt = this.#clock.monotonic() + deadlineMs;
    this.#controller.abort(new Error('draining'));
    await new Promise<void>(resolve => {
      const timer = this.#clock.setTimer(deadlineMs, resolve);
      this.#onEmpty = () => {
        timer.cancel();
        resolve();
      };
      if (this.#holds.size === 0) this.#onEmpty();
    });
    return [...this.#holds];
  }
}
