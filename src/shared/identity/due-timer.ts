import type { Clock, Timer } from '../lifecycle/clock.ts';

/** The wall clock is looked at this often at least: timers stand still while a machine sleeps. */
const MAX_TICK_MS = 10_000;
/** What is due within this time shares a timer. */
const MIN_TICK_MS = 50;

/** One timer, for what is due first; when it fires, everything due is to be done, and what comes next asked for. */
export class DueTimer {
  readonly #clock: Clock;
  readonly #onDue: () => void;
  #timer: Timer | undefined;
  #at = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(clock: Clock, onDue: () => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  /** Fires in `delayMs`, or sooner. */
  within(delayMs: number): void {
    if (this.#closed) return;
    const boundedMs = Math.min(MAX_TICK_MS, Math.max(MIN_TICK_MS, delayMs));
    const at = this.#clock.monotonic() + boundedMs;
    if (this.#at <= at) return;
    this.#timer?.cancel();
    this.#at = at;
    this.#timer = this.#clock.setTimer(boundedMs, () => {
      this.#at = Number.POSITIVE_INFINITY;
      this.#onDue();
    });
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }
}
