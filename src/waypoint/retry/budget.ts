import type { Clock } from '#shared/lifecycle/clock.ts';
import { RecentCount } from '#shared/lifecycle/recent-count.ts';
import type { RetryBudgetConfig } from '#shared/route/model.ts';

/** Linkerd's and Gateway API's numbers: retries add at most a fifth to the load, and 10/s when there is little of it. */
export const DEFAULT_RETRY_BUDGET: RetryBudgetConfig = Object.freeze({
  ratio: 0.2,
  minPerSecond: 10,
  ttlMs: 10_000,
});

/** Of a service whose retries are bounded by how many are under way. */
export const UNLIMITED_RETRY_BUDGET: RetryBudgetConfig = Object.freeze({
  ratio: 1,
  minPerSecond: Number.POSITIVE_INFINITY,
  ttlMs: 10_000,
});

/**
 * How many retries a service may get: over a sliding window of `ttlMs`, `ratio` of the requests plus `minPerSecond`. One
 * for each service and thread; it outlives changes of routes. Constant memory, no timer.
 */
export class RetryBudget {
  readonly #ratio: number;
  readonly #floor: number;
  readonly #requests: RecentCount;
  readonly #retries: RecentCount;

  constructor(config: RetryBudgetConfig, clock: Clock) {
    this.#ratio = config.ratio;
    this.#floor = (config.minPerSecond * config.ttlMs) / 1000;
    this.#requests = new RecentCount(clock, config.ttlMs);
    this.#retries = new RecentCount(clock, config.ttlMs);
  }

  /** Counts a request (not a retry) towards the budget. */
  recordRequest(): void {
    this.#requests.add();
  }

  /** Takes one retry from the budget. @returns false when there is none left: the failure goes to the client. */
  tryAcquire(): boolean {
    if (this.#retries.count() + 1 > this.#floor + this.#ratio * this.#requests.count()) return false;
    this.#retries.add();
    return true;
  }
}
