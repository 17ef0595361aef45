import type { BackoffOptions } from '../lifecycle/backoff.ts';

/** Share of the lifetime by which the renewal of one leaf may be earlier or later, so that leaves of one start spread. */
const JITTER = 0.05;

/** A CA that answers with leaves of no life worth the name is not asked in a tight loop. */
const MIN_RENEWAL_MS = 1000;

/** 1 s, doubled, ±20 %, at most 150 s; per identity, so that one refused identity does not hold up the others. */
export const RENEWAL_BACKOFF: BackoffOptions = { initialMs: 1000, maxMs: 150_000, factor: 2, jitter: 0.2 };

/**
 * When a leaf is renewed (wall clock, ms): at half of its life, ±5 % of the life. The other half is the time a CA may
 * be away without an identity being lost. Pure: `random` is in [0, 1).
 */
export function renewalTime(startMs: number, notAfterMs: number, random: number): number {
  const lifeMs = Math.max(0, notAfterMs - startMs);
  return startMs + Math.max(MIN_RENEWAL_MS, lifeMs * (0.5 + JITTER * (2 * random - 1)));
}

/** A renewal of everything (new trust) is spread over this time, less for short leaves: the CA signs, others wait. */
const MAX_SPREAD_MS = 10_000;

/** When to fetch again after the trust changed, at most an eighth of the remaining life from now. */
export function refetchTime(nowMs: number, notAfterMs: number, random: number): number {
  const remainingMs = Math.max(0, notAfterMs - nowMs);
  return nowMs + random * Math.min(MAX_SPREAD_MS, remainingMs / 8);
}
