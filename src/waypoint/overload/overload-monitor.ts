import type { Clock, Timer } from '#shared/lifecycle/clock.ts';

export interface OverloadOptions {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** An event loop that is later than this sheds load; Infinity: never. */
  readonly maxLagMs: number;
  /** Requests in progress in this thread. */
  readonly maxRequests: number;
}

const LOOK_EVERY_MS = 100;

/**
 * Whether this thread has more to do than it can: its event loop stays late, or as many requests are in progress as may be. Then a
 * share of the new requests is answered with 503 at once, so that the others are served in time.
 */
export class OverloadMonitor {
  readonly #options: OverloadOptions;
  #timer: Timer | undefined;
  /** At the last look. */
  #lagMs = 0;
  #share = 0;

  constructor(options: OverloadOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock, maxLagMs } = this.#options;
    if (maxLagMs === Number.POSITIVE_INFINITY) return;
    const dueMs = clock.monotonic() + LOOK_EVERY_MS;
    this.#timer = clock.setTimer(LOOK_EVERY_MS, () => {
      const lagMs = clock.monotonic() - dueMs;
      // Late once is a pause, such as that of a thread without a processor: what waited is served now, and to refuse it would
      // help nobody. Where there is more to do than can be done, the next look is late as well.
      this.#share = shedShare(Math.min(lagMs, this.#lagMs), maxLagMs);
      this.#lagMs = lagMs;
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** @returns why a request that comes now is not to be served, or undefined. Costs two comparisons. */
  refusal(inProgress: number): string | undefined {
    const { maxLagMs, maxRequests, random } = this.#options;
    if (inProgress > maxRequests) return `${maxRequests} requests are in progress (MAX_REQUESTS)`;
    if (this.#share === 0 || random() >= this.#share) return undefined;
    return `the event loop is more than ${maxLagMs} ms late (OVERLOAD_LAG)`;
  }
}

/** Nothing up to the permitted lag, everything from twice of it, in proportion between. Pure. */
export function shedShare(lagMs: number, maxLagMs: number): number {
  return Math.min(1, Math.max(0, lagMs / maxLagMs - 1));
}
