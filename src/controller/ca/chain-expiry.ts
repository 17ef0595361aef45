import type { CertificateFacts } from '#shared/pki/certificate-facts.ts';
import { CA_ENDS, isNearEnd } from '#shared/pki/near-end.ts';

/** Where a CA's certificates are, for whoever has to replace one. */
export interface CaSource {
  /** `Secret istio-system/cacerts` */
  readonly name: string;
  /** What to do about a certificate of it that ends: a clause. */
  readonly remedy: string;
}

/** From the certificate that signs up to its root. */
export type SigningChain = readonly CertificateFacts[];

const DAY_MS = 86_400_000;
/** Nothing that is signed is good for longer than the first of them. */
export function firstToEnd(chain: SigningChain): CertificateFacts | undefined {
  return chain.reduce<CertificateFacts | undefined>(
    (first, next) => (first === undefined || next.notAfterMs < first.notAfterMs ? next : first),
    undefined,
  );
}

/** Nor before the last of them. */
export function lastToBegin(chain: SigningChain): CertificateFacts | undefined {
  return chain.reduce<CertificateFacts | undefined>(
    (last, next) => (last === undefined || next.notBeforeMs > last.notBeforeMs ? next : last),
    undefined,
  );
}

/** A sentence where a certificate of the CA is near its end, or beyond it. Pure. */
export function expiryWarning(chain: SigningChain, source: CaSource, nowMs: number): string | undefined {
  const first = firstToEnd(chain);
  if (first === undefined || !isNearEnd(first, nowMs)) return undefined;
  const { notAfterMs } = first;
  const leftMs = notAfterMs - nowMs;
  const what = `${CA_ENDS}${describe(first, source)}`;
  const end = new Date(notAfterMs).toISOString();
  if (leftMs <= 0) return `${what} ended at ${end}, and nothing is signed: ${source.remedy}`;
  return `${what} ends at ${end}, in ${daysOrHours(leftMs)}, and every certificate of the mesh with it: ${source.remedy}`;
}

/** `intermediate CN=a of Secret istio-system/cacerts` */
export function describe({ selfIssued, x509 }: CertificateFacts, { name }: CaSource): string {
  return `${selfIssued ? 'root' : 'intermediate'} ${x509.subject.replaceAll('\n', ', ')} of ${name}`;
}

function daysOrHours(ms: number): string {
  return ms < 2 * DAY_MS ? `${Math.floor(ms / 3_600_000)} h` : `${Math.floor(ms / DAY_MS)} d`;
}
