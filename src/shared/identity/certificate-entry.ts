import type { SpiffeId } from '../spiffe/spiffe-id.ts';
import type { CertificateMaterial, HeldCertificate } from './held-certificate.ts';

/** What the manager knows of one identity. */
export interface CertificateEntry {
  readonly identity: SpiffeId;
  users: number;
  held: HeldCertificate | undefined;
  /** Waiting for, or having, one of the requests to the CA. */
  isQueued: boolean;
  isFetching: boolean;
  /** Wall clock, ms: a resumed machine must see at once that the time has come. */
  renewAtMs: number;
  /** Monotonic, ms: a wall clock set back must not hold retries up. */
  retryAt: number;
  /** Monotonic, ms; infinite while in use. */
  releaseAt: number;
  /** Since the last success. */
  failures: number;
  lastError: string | undefined;
  readonly waiters: Set<(material: CertificateMaterial) => void>;
}

export function createEntry(identity: SpiffeId): CertificateEntry {
  return {
    identity,
    users: 0,
    held: undefined,
    isQueued: false,
    isFetching: false,
    renewAtMs: 0,
    retryAt: 0,
    releaseAt: Number.POSITIVE_INFINITY,
    failures: 0,
    lastError: undefined,
    waiters: new Set(),
  };
}

export function isUsable(entry: CertificateEntry, nowMs: number): boolean {
  const leaf = entry.held?.leaf;
  return leaf !== undefined && nowMs >= leaf.notBeforeMs && nowMs <= leaf.notAfterMs;
}

/** A certificate that is not valid yet is due as well: it was made while one of the clocks was wrong. */
export function isDue(entry: CertificateEntry, nowMs: number): boolean {
  return nowMs >= entry.renewAtMs || !isUsable(entry, nowMs);
}

/**
 * False while a request is under way or a failed one's backoff runs. The backoff holds for everyone: a busy pod must
 * not hammer a CA that refuses it.
 */
export function mayRequest(entry: CertificateEntry, monotonicMs: number): boolean {
  return !entry.isFetching && (entry.failures === 0 || entry.retryAt <= monotonicMs);
}

/** Milliseconds until something has to be done for this entry; may be negative. */
export function dueInMs(entry: CertificateEntry, nowMs: number, monotonicMs: number): number {
  const releaseInMs = entry.releaseAt - monotonicMs;
  if (entry.isFetching || entry.isQueued) return releaseInMs;
  const renewInMs = entry.held === undefined ? 0 : entry.renewAtMs - nowMs;
  const retryInMs = entry.failures === 0 ? 0 : entry.retryAt - monotonicMs;
  return Math.min(releaseInMs, Math.max(renewInMs, retryInMs));
}
