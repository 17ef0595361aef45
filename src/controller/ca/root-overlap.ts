import type { CertificateFacts } from '#shared/pki/certificate-facts.ts';
import { createTrustBundle, isRootTrusted, type TrustBundle } from '#shared/spiffe/trust-bundle.ts';

/** What a plugged CA signs with and has told proxies to trust. */
export interface Announced {
  /** The root that signs goes first. */
  readonly bundle: TrustBundle;
  /** Root fingerprint → since when proxies are told to trust it (monotonic, ms: a clock that is set back must not hold the new root up). */
  readonly since: ReadonlyMap<string, number>;
}

export interface Overlap extends Announced {
  /** False: proxies have not had the time to learn of the new root; the signer of before goes on. */
  readonly signsWithNew: boolean;
}

/** Connected proxies know a new root within seconds; one that is away learns of it before it asks for anything. */
const ANNOUNCE_MS = 60_000;
/** Clocks of peers may be this far behind ours: for them an old leaf lives longer. */
const CLOCK_SKEW_MS = 60_000;

/**
 * How to go from the roots of before to those an operator (or cert-manager, which replaces both at once) has put there, so
 * that nobody is cut off: a new root is trusted before it signs, an old one for as long as its leaves live. Pure; to be
 * asked again as time passes.
 * @param nowMs wall clock, by which leaves end
 * @param elapsedMs monotonic
 */
export function overlap(
  before: Announced,
  wanted: TrustBundle,
  leavesUntilMs: ReadonlyMap<string, number>,
  nowMs: number,
  elapsedMs: number,
): Overlap {
  const isLive = (root: CertificateFacts): boolean =>
    (leavesUntilMs.get(root.fingerprint) ?? 0) + CLOCK_SKEW_MS >= nowMs;
  const retained = before.bundle.roots.filter(root => !isRootTrusted(wanted, root) && isLive(root));
  const [signer] = wanted.roots;
  const [oldSigner] = before.bundle.roots;
  const announcedMs = elapsedMs - (before.since.get(signer?.fingerprint ?? '') ?? elapsedMs);
  const mustWait = before.bundle.roots.some(isLive) && announcedMs < ANNOUNCE_MS;
  const roots = [...wanted.roots, ...retained];
  const bundle = createTrustBundle(mustWait && oldSigner !== undefined ? [oldSigner, ...roots] : roots);
  const since = new Map(
    bundle.roots.map(({ fingerprint }) => [fingerprint, before.since.get(fingerprint) ?? elapsedMs]),
  );
  return { bundle, since, signsWithNew: !mustWait };
}
