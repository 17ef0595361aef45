import type { TokenBucket as BucketConfig } from '#shared/route/route-filter.ts';

/**
 * Tokens that come in fills at fixed intervals, as many of them as fit. One of `shares` holders of the same limit gets its
 * part of each fill; it can always hold one token, so that a small limit shared by many threads is late, never shut.
 */
export class TokenBucket {
  readonly #capacity: number;
  readonly #perFill: number;
  readonly #intervalMs: number;
  #tokens: number;
  #filledAtMs: number;

  constructor({ fillIntervalMs, maxTokens, tokensPerFill }: BucketConfig, shares: number, nowMs: number) {
    this.#capacity = Math.max(1, maxTokens / shares);
    this.#perFill = tokensPerFill / shares;
    this.#intervalMs = fillIntervalMs;
    this.#tokens = maxTokens === 0 ? 0 : this.#capacity;
    this.#filledAtMs = nowMs;
  }

  get capacity(): number {
    return Math.floor(this.#capacity);
  }

  get remaining(): number {
    return Math.floor(this.#tokens);
  }

  /** Whether there is a token. @param nowMs monotonic */
  has(nowMs: number): boolean {
    this.#fill(nowMs);
    return this.#tokens >= 1;
  }

  /** To be called after `has`. */
  take(): void {
    this.#tokens--;
  }

  /** From `nowMs` until there is a token again; Infinity when none ever comes. */
  waitMs(nowMs: number): number {
    if (this.#tokens >= 1) return 0;
    const fills = Math.ceil((1 - this.#tokens) / this.#perFill);
    return Math.max(0, this.#filledAtMs + fills * this.#intervalMs - nowMs);
  }

  #fill(nowMs: number): void {
    const fills = Math.floor((nowMs - this.#filledAtMs) / this.#intervalMs);
    if (fills <= 0) return;
    this.#filledAtMs += fills * this.#intervalMs;
    this.#tokens = Math.min(this.#capacity, this.#tokens + fills * this.#perFill);
  }
}
