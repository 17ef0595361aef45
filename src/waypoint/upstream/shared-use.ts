/** Bounds over all connections and requests of one balancer in one thread: its share of what the policy allows. */
export interface SharedLimits {
  readonly maxConnections: number;
  readonly maxPending: number;
  /** Requests under way, retries included. */
  readonly maxRequests: number;
  /** Retries under way. */
  readonly maxRetries: number;
}

/** How much of its bounds a service uses: what Envoy calls circuit breaking. Counted by those who use it. */
export class SharedUse {
  connections = 0;
  pending = 0;
  requests = 0;
  retries = 0;
  limits: SharedLimits = UNLIMITED;

  get connectionsFull(): boolean {
    return this.connections >= this.limits.maxConnections;
  }

  get pendingFull(): boolean {
    return this.pending >= this.limits.maxPending;
  }

  get requestsFull(): boolean {
    return this.requests >= this.limits.maxRequests;
  }

  get retriesFull(): boolean {
    return this.retries >= this.limits.maxRetries;
  }
}

export const UNLIMITED: SharedLimits = Object.freeze({
  maxConnections: Number.POSITIVE_INFINITY,
  maxPending: Number.POSITIVE_INFINITY,
  maxRequests: Number.POSITIVE_INFINITY,
  maxRetries: Number.POSITIVE_INFINITY,
});

/** What one of `threads` threads may use of a bound; each at least one, or the service would be cut off from some of them. */
export function shareOf(total: number | undefined, threads: number): number {
  return total === undefined ? Number.POSITIVE_INFINITY : Math.max(1, Math.ceil(total / threads));
}
