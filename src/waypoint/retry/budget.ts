import type { Clock } from '#shared/lifecycle/clock.ts';
import type { RetryBudgetConfig } from '#shared/route/model.ts';

/** Linkerd's and Gateway API's numbers: retries add at most a fifth to the load, and 10/s when there is little of it. */
export const DEFAULT_RETRY_BUDGET: RetryBudgetConfig = Object.freeze({
  ratio: 0.2,
  minPerSecond: 10,
  ttlMs: 10_000,
});

const SLOTS = 10;

/**
 * How many retries a service may get: over a sliding window of `ttlMs`, `ratio` of the requests plus `minPerSecond`. One
 * for each service and thread; it outlives changes of routes. Constant memory, no timer.
 */
export class RetryBudget {
  readonly #clock: Clock;
  readonly #ratio: number;
  readonly #floor: number;
  readonly #slotMs: number;
  readonly #requests = new Float64Array(SLOTS);
  readonly #retries = new Float64Array(SLOTS);
  #slot = 0;

  constructor(config: RetryBudgetConfig, clock: Clock) {
    this.#clock = clock;
    this.#ratio = config.ratio;
    this.#floor = (config.minPerSecond * config.ttlMs) / 1000;
    this.#slotMs = config.ttlMs / SLOTS;
    this.#slot = this.#slotNow();
  }

  /** Counts a request (not a retry) towards the budget. */
  recordRequest(): void {
    const at = this.#moveOn();
    this.#requests[at] = (this.#requests[at] ?? 0) + 1;
  }

  /** Takes one retry from the budget. @returns false when there is none left: the failure goes to the client. */
  tryAcquire(): boolean {
    const at = this.#moveOn();
    if (sum(this.#retries) + 1 > this.#floor + this.#ratio * sum(this.#requests)) return false;
    this.#retries[at] = (this.#retries[at] ?? 0) + 1;
    return true;
  }

  /** Clears the slots that left the window. @returns the index of the present one. */
  #moveOn(): number {
    const now = this.#slotNow();
    for (let step = Math.min(now - this.#slot, SLOTS); step > 0; step--) {
      const index = (now - step + 1) % SLOTS;
      this.#requests[index] = 0;
      this.#retries[index] = 0;
    }
    this.#slot = now;
    return now % SLOTS;
  }

  #slotNow(): number {
    return Math.floor(this.#clock.monotonic() / this.#slotMs);
  }
}

function sum(slots: Float64Array): number {
  let total = 0;
  for (let i = 0; i < slots.length; i++) total += slots[i] ?? 0;
  return total;
}
