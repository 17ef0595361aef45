import type { Clock, Timer } from '../../lifecycle/clock.ts';
import { TimerWheel } from './timer-wheel.ts';

/** A longer delay would overflow the runtime's 32-bit timer. */
const MAX_PARK_MS = 2 ** 31 - 1;

/**
 * The clock of a thread that the native loop drives: its timers are kept in a wheel, and bound how long the loop waits.
 * While the loop does not run, one timer of the runtime stands in for all.
 */
export class LoopClock implements Clock {
  readonly #wheel = new TimerWheel(performance.now());
  #driven = false;
  #parked: ReturnType<typeof setTimeout> | undefined;

  now(): number {
    return Date.now();
  }

  monotonic(): number {
    return performance.now();
  }

  setTimer(delayMs: number, fn: () => void): Timer {
    const timer = this.#wheel.add(performance.now() + Math.max(0, delayMs), fn);
    if (!this.#driven) this.#park();
    return timer;
  }

  /** Infinity when no timer is set. */
  untilNextMs(): number {
    return this.#wheel.nextDueAt() - performance.now();
  }

  /** Runs what is due. @returns whether anything was */
  fire(): boolean {
    return this.#wheel.size > 0 && this.#wheel.advance(performance.now());
  }

  setDriven(driven: boolean): void {
    this.#driven = driven;
    if (!driven) this.#park();
  }

  #park(): void {
    clearTimeout(this.#parked);
    this.#parked = undefined;
    if (this.#wheel.size === 0) return;
    const delayMs = Math.min(MAX_PARK_MS, Math.max(0, Math.ceil(this.untilNextMs())));
    this.#parked = setTimeout(() => {
      this.#parked = undefined;
      if (this.#driven) return;
      this.fire();
      this.#park();
    }, delayMs);
    // As timers of the clock never keep the process alive.
    this.#parked.unref();
  }
}
