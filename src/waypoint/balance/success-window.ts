import type { Clock } from '#shared/lifecycle/clock.ts';
import { RecentCount } from '#shared/lifecycle/recent-count.ts';

/** How many of the requests of the last `windowMs` failed, to within a tenth of it. */
export class SuccessWindow {
  readonly #total: RecentCount;
  readonly #failed: RecentCount;

  constructor(clock: Clock, windowMs: number) {
    this.#total = new RecentCount(clock, windowMs);
    this.#failed = new RecentCount(clock, windowMs);
  }

  record(succeeded: boolean): void {
    this.#total.add();
    if (!succeeded) this.#failed.add();
  }

  counts(): { readonly total: number; readonly failed: number } {
    return { total: this.#total.count(), failed: this.#failed.count() };
  }

  clear(): void {
    this.#total.clear();
    this.#failed.clear();
  }
}
