import { RESPONSE_FLAGS } from '#shared/observability/response-flags.ts';
import type { LocalRateLimit, TokenBucket as BucketConfig } from '#shared/route/route-filter.ts';
import type { Refusal } from './refusal.ts';
import { TokenBucket } from './token-bucket.ts';

/** Sources that have a bucket at one time; the one that asked longest ago loses its, and starts with a full one. */
const MAX_SOURCES = 1_000;

/**
 * The buckets of one limit in one thread. A request is let through when the bucket of its source and the one of all have a
 * token each; a refused request takes none, so that a source above its own limit takes nothing from the others.
 */
export class LocalRateLimiter {
  readonly config: LocalRateLimit;
  readonly #shares: number;
  readonly #total: TokenBucket | undefined;
  /** By SPIFFE id, in the order of their last use. */
  readonly #sources = new Map<string, TokenBucket>();
  readonly #overrides = new Map<string, BucketConfig>();

  /** @param shares how many threads hold this limit together */
  constructor(config: LocalRateLimit, shares: number, nowMs: number) {
    this.config = config;
    this.#shares = shares;
    this.#total = config.total && new TokenBucket(config.total, shares, nowMs);
    for (const { bucket, identities } of config.overrides) {
      for (const identity of identities) {
        if (!this.#overrides.has(identity)) this.#overrides.set(identity, bucket);
      }
    }
  }

  /** @param nowMs monotonic. @returns the bucket that is empty, where one is */
  take(identity: string | undefined, nowMs: number): TokenBucket | undefined {
    const total = this.#total;
    const source = this.#source(identity ?? '', nowMs);
    if (source?.has(nowMs) === false) return source;
    if (total?.has(nowMs) === false) return total;
    source?.take();
    total?.take();
    return undefined;
  }

  #source(identity: string, nowMs: number): TokenBucket | undefined {
    const config = this.#overrides.get(identity) ?? this.config.identity;
    if (config === undefined) return undefined;
    const known = this.#sources.get(identity);
    if (known !== undefined) {
      this.#sources.delete(identity);
      this.#sources.set(identity, known);
      return known;
    }
    const bucket = new TokenBucket(config, this.#shares, nowMs);
    this.#sources.set(identity, bucket);
    if (this.#sources.size > MAX_SOURCES) this.#forgetOldest();
    return bucket;
  }

  #forgetOldest(): void {
    for (const oldest of this.#sources.keys()) {
      this.#sources.delete(oldest);
      return;
    }
  }
}

/** Says when to come again (RFC 9110 §10.2.3) and what the limit is (draft-polli-ratelimit-headers-03). */
export function rateLimitRefusal(status: number, bucket: TokenBucket, nowMs: number): Refusal {
  const waitS = Math.ceil(bucket.waitMs(nowMs) / 1_000);
  const headers = ['x-ratelimit-limit', String(bucket.capacity), 'x-ratelimit-remaining', '0'];
  if (Number.isFinite(waitS)) headers.push('x-ratelimit-reset', String(waitS), 'retry-after', String(waitS));
  return {
    status,
    headers,
    body: 'local_rate_limited',
    flag: RESPONSE_FLAGS.rateLimited,
    grpcStatus: 8,
    detail: 'local rate limit of the route',
  };
}
