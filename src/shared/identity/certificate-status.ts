import { type CertificateFacts, validityFault } from '../pki/certificate-facts.ts';
import type { SpiffeId } from '../spiffe/spiffe-id.ts';
import type { TrustBundle } from '../spiffe/trust-bundle.ts';
import type { HeldCertificate } from './held-certificate.ts';

/** One element of `certificates` in `/config_dump`. */
export interface CertificateStatus {
  readonly identity: SpiffeId;
  readonly state: 'Initializing' | 'Available' | 'Unavailable';
  /** Why the last attempt failed, also while an older certificate is still good. */
  readonly error?: string;
  readonly certChain: readonly ChainElementStatus[];
}

export interface ChainElementStatus {
  readonly type: 'Leaf' | 'Intermediate' | 'Root';
  readonly valid: boolean;
  readonly serial: string;
  /** ISO 8601. */
  readonly notAfter: string;
  readonly notBefore: string;
}

/** Gauges over all identities. */
export interface CertificateGauges {
  readonly identities: number;
  /** Without a certificate that is valid now. */
  readonly unavailable: number;
  /** When the first leaf ends, since 1970; in the past when one has ended; absent when none is held. */
  readonly earliestExpirySeconds?: number;
}

/** Pure: what an operator sees of one identity at `nowMs`. */
export function certificateStatus(
  identity: SpiffeId,
  held: HeldCertificate | undefined,
  bundle: TrustBundle | undefined,
  lastError: string | undefined,
  nowMs: number,
): CertificateStatus {
  const error = lastError === undefined ? {} : { error: lastError };
  if (held === undefined) {
    return {
      identity,
      state: lastError === undefined ? 'Initializing' : 'Unavailable',
      ...error,
      certChain: [],
    };
  }
  const element = (type: ChainElementStatus['type'], certificate: CertificateFacts): ChainElementStatus => ({
    type,
    valid: validityFault(certificate, nowMs) === undefined,
    serial: certificate.serial,
    notAfter: new Date(certificate.notAfterMs).toISOString(),
    notBefore: new Date(certificate.notBeforeMs).toISOString(),
  });
  const certChain = [
    element('Leaf', held.leaf),
    ...held.intermediates.map(certificate => element('Intermediate', certificate)),
    ...(bundle?.roots ?? []).map(certificate => element('Root', certificate)),
  ];
  const isValid = certChain[0]?.valid === true;
  return { identity, state: isValid ? 'Available' : 'Unavailable', ...error, certChain };
}

export function certificateGauges(
  leaves: readonly (CertificateFacts | undefined)[],
  nowMs: number,
): CertificateGauges {
  let earliestMs = Number.POSITIVE_INFINITY;
  let unavailable = 0;
  for (const leaf of leaves) {
    if (leaf === undefined || validityFault(leaf, nowMs) !== undefined) unavailable += 1;
    if (leaf !== undefined) earliestMs = Math.min(earliestMs, leaf.notAfterMs);
  }
  const gauges = { identities: leaves.length, unavailable };
  return Number.isFinite(earliestMs)
    ? { ...gauges, earliestExpirySeconds: Math.floor(earliestMs / 1000) }
    : gauges;
}
