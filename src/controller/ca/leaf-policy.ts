import type { Validity } from '#shared/pki/certificate.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** How long leaves live. */
export interface LeafPolicy {
  /** For a request that names no lifetime. */
  readonly defaultTtlMs: number;
  readonly minTtlMs: number;
  /** A longer request is cut to this: the answer's `notAfter` tells the client. */
  readonly maxTtlMs: number;
  /** How far back `notBefore` lies, for peers whose clock is behind. */
  readonly backdateMs: number;
}

export const DEFAULT_LEAF_POLICY: LeafPolicy = {
  defaultTtlMs: 24 * HOUR_MS,
  minTtlMs: MINUTE_MS,
  maxTtlMs: 90 * 24 * HOUR_MS,
  backdateMs: 2 * MINUTE_MS,
};

export type LeafValidity =
  | { readonly ok: true; readonly validity: Validity }
  /** Nothing that lives for so long is asked for. */
  | { readonly ok: false; readonly code: 'INVALID_ARGUMENT'; readonly reason: string }
  /** Whoever signs does not live for so long himself. */
  | { readonly ok: false; readonly code: 'UNAVAILABLE' };

/** Validity of a leaf: `requestedTtlMs` (0: the default) within the policy, never beyond the end of whoever signs, or of one above. */
export function leafValidity(
  policy: LeafPolicy,
  requestedTtlMs: number,
  chainNotAfterMs: number,
  nowMs: number,
): LeafValidity {
  const wantedMs = requestedTtlMs === 0 ? policy.defaultTtlMs : requestedTtlMs;
  if (!Number.isFinite(wantedMs) || wantedMs < policy.minTtlMs) {
    const reason = `a lifetime of ${wantedMs / 1000} s was asked for, the shortest is ${policy.minTtlMs / 1000} s`;
    return { ok: false, code: 'INVALID_ARGUMENT', reason };
  }
  const notAfterMs = Math.min(nowMs + Math.min(wantedMs, policy.maxTtlMs), chainNotAfterMs);
  if (notAfterMs - nowMs < policy.minTtlMs) return { ok: false, code: 'UNAVAILABLE' };
  return { ok: true, validity: { notBeforeMs: nowMs - policy.backdateMs, notAfterMs } };
}
