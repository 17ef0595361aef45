import type { TokenBucket } from '#shared/route/route-filter.ts';

/** Requests a second that a limit may let through. */
export const MAX_RATE = 1_000_000;
/** A second's tokens come in so many fills: whoever waits, waits for a part of a second. */
const FILLS_PER_SECOND = 10;

/** So many requests a second; a second's worth may come at once. */
export function secondBucket(perSecond: number): TokenBucket {
  return {
    maxTokens: perSecond,
    tokensPerFill: perSecond / FILLS_PER_SECOND,
    fillIntervalMs: 1_000 / FILLS_PER_SECOND,
  };
}
