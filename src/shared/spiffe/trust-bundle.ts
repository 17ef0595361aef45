import { createHash } from 'node:crypto';
import { type CertificateFacts, readCertificates } from '../pki/certificate-facts.ts';
import { SpiffeError } from './spiffe-error.ts';

/** The roots that are trusted now: one, or two while a root is being rotated. */
export interface TrustBundle {
  readonly roots: readonly CertificateFacts[];
  /** PEM of all roots. */
  readonly pem: string;
  /** Names the set: equal for the same roots in any order. */
  readonly version: string;
}

/** Keeps the first of equal roots. Throws `SpiffeError` when there is none or one of them is not a CA certificate. */
export function createTrustBundle(certificates: readonly CertificateFacts[]): TrustBundle {
  const byFingerprint = new Map<string, CertificateFacts>();
  for (const root of certificates) {
    if (!root.isCa) throw new SpiffeError(`trust bundle: certificate ${root.serial} is not a CA certificate`);
    if (!byFingerprint.has(root.fingerprint)) byFingerprint.set(root.fingerprint, root);
  }
  if (byFingerprint.size === 0) throw new SpiffeError('trust bundle: it holds no root');
  const roots = [...byFingerprint.values()];
  const hash = createHash('sha256');
  for (const fingerprint of [...byFingerprint.keys()].toSorted()) hash.update(fingerprint);
  return { roots, pem: roots.map(root => root.pem).join(''), version: hash.digest('hex').slice(0, 16) };
}

/** Throws `PkiError` when the text is not PEM certificates, `SpiffeError` when they are no trust bundle. */
export function parseTrustBundle(pem: string): TrustBundle {
  return createTrustBundle(readCertificates(pem));
}

/** Trusts what either trusts: the overlap of a rotation. */
export function mergeTrustBundles(first: TrustBundle, second: TrustBundle): TrustBundle {
  return createTrustBundle([...first.roots, ...second.roots]);
}

export function isRootTrusted(bundle: TrustBundle, root: CertificateFacts): boolean {
  return bundle.roots.some(trusted => trusted.fingerprint === root.fingerprint);
}
