import type { Clock } from '../lifecycle/clock.ts';
import { ErrorCode, Http2ConnectionError } from './error-code.ts';
import type { FloodLimit, FloodLimits } from './options.ts';

export type FloodName = keyof FloodLimits;

interface Bucket {
  readonly limit: FloodLimit;
  tokens: number;
  /** `Clock.monotonic()` of the last refill. The clock is only read when the bucket is empty. */
  refilledMs: number;
  total: number;
}

/** Counts what a peer may do only so often, each by a token bucket of its own. */
export class FloodGuard {
  readonly #clock: Clock;
  readonly #limits: FloodLimits;
  /** Made when there is something to count: most connections need two of nine. */
  readonly #buckets: Partial<Record<FloodName, Bucket>> = {};

  constructor(clock: Clock, limits: FloodLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  #bucket(name: FloodName): Bucket {
    const limit = this.#limits[name];
    return (this.#buckets[name] ??= {
      limit,
      tokens: limit.burst,
      refilledMs: this.#clock.monotonic(),
      total: 0,
    });
  }

  /** Throws ENHANCE_YOUR_CALM, naming the limit, when the peer has used it up. */
  count(name: FloodName): void {
    const bucket = this.#bucket(name);
    bucket.total++;
    if (bucket.tokens < 1) refill(bucket, this.#clock.monotonic());
    bucket.tokens--;
    if (bucket.tokens >= 0) return;
    const { burst, perSecond } = bucket.limit;
    const text = `flood limit ${name} exceeded: ${bucket.total} seen, ${burst} at once and ${perSecond} a second allowed`;
    throw new Http2ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, text);
  }

  /** Gives a token back for each `count` of `earned` (fractions add up) before they are due. */
  earn(name: FloodName, earned: number, count: number): void {
    const bucket = this.#buckets[name];
    if (bucket !== undefined) bucket.tokens = Math.min(bucket.limit.burst, bucket.tokens + earned / count);
  }

  /** How often `name` has been counted on this connection. */
  total(name: FloodName): number {
    return this.#buckets[name]?.total ?? 0;
  }
}

function refill(bucket: Bucket, nowMs: number): void {
  const due = ((nowMs - bucket.refilledMs) * bucket.limit.perSecond) / 1000;
  bucket.refilledMs = nowMs;
  bucket.tokens = Math.min(bucket.limit.burst, Math.max(0, bucket.tokens) + due);
}
