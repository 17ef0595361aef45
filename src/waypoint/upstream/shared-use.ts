import type { Clock } from '#shared/lifecycle/clock.ts';
import { RecentCount } from '#shared/lifecycle/recent-count.ts';
import type { RetryConcurrency } from '#shared/route/traffic-policy.ts';

/** Bounds over all connections and requests of one balancer in one thread: its share of what the policy allows. */
export interface SharedLimits {
  readonly maxConnections: number;
  readonly maxPending: number;
  /** Requests under way, retries included. */
  readonly maxRequests: number;
  /** Retries under way. */
  readonly maxRetries: number;
  /** In place of `maxRetries`. */
  readonly retryConcurrency: RetryConcurrency | undefined;
}

/** How much of its bounds a service uses: what Envoy calls circuit breaking. Counted by those who use it. */
export class SharedUse {
  connections = 0;
  pending = 0;
  requests = 0;
  retries = 0;
  /** Retries whose time has not come. */
  waitingRetries = 0;
  #limits: SharedLimits = UNLIMITED;
  #recent: RecentCount | undefined;

  get limits(): SharedLimits {
    return this.#limits;
  }

  limit(limits: SharedLimits, clock: Clock): void {
    const intervalMs = limits.retryConcurrency?.intervalMs ?? 0;
    if (intervalMs !== (this.#limits.retryConcurrency?.intervalMs ?? 0))
      this.#recent = intervalMs === 0 ? undefined : new RecentCount(clock, intervalMs);
    this.#limits = limits;
  }

  begin(isRetry: boolean): void {
    this.requests++;
    if (isRetry) this.retries++;
    else this.#recent?.add();
  }

  end(isRetry: boolean): void {
    this.requests--;
    if (isRetry) this.retries--;
  }

  get connectionsFull(): boolean {
    return this.connections >= this.limits.maxConnections;
  }

  get pendingFull(): boolean {
    return this.pending >= this.limits.maxPending;
  }

  get requestsFull(): boolean {
    return this.requests >= this.limits.maxRequests;
  }

  /** @param ending retries under way that the next one takes the place of */
  retriesFull(ending = 0): boolean {
    return this.retries + this.waitingRetries - ending >= this.#maxRetries();
  }

  #maxRetries(): number {
    const { maxRetries, retryConcurrency } = this.#limits;
    if (retryConcurrency === undefined) return maxRetries;
    const requests = Math.max(this.requests, this.#recent?.count() ?? 0);
    return Math.max(retryConcurrency.minimum, Math.floor(retryConcurrency.ratio * requests));
  }
}

export const UNLIMITED: SharedLimits = Object.freeze({
  maxConnections: Number.POSITIVE_INFINITY,
  maxPending: Number.POSITIVE_INFINITY,
  maxRequests: Number.POSITIVE_INFINITY,
  maxRetries: Number.POSITIVE_INFINITY,
  retryConcurrency: undefined,
});

/** What one of `threads` threads may use of a bound; each at least one, or the service would be cut off from some of them. */
export function shareOf(total: number | undefined, threads: number): number {
  return total === undefined ? Number.POSITIVE_INFINITY : Math.max(1, Math.ceil(total / threads));
}
