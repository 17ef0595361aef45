import {
  type CertificateFacts,
  hasOnlyUriSan,
  readCertificates,
  validityFault,
} from './certificate-facts.ts';
import { CHAIN_LIMITS } from './pem.ts';
import { PkiError } from './pki-error.ts';

/** The parts of a CA's answer. */
export interface CertificateChain {
  readonly leaf: CertificateFacts;
  /** In the order in which they sign, the leaf's issuer first. */
  readonly intermediates: readonly CertificateFacts[];
  /** Every root that is trusted now. */
  readonly roots: readonly CertificateFacts[];
}

const MAX_ELEMENTS = 32;
/** Leaf, six intermediates and a root; the field has one or two intermediates. */
const MAX_DEPTH = 8;

/**
 * Splits the `cert_chain` of a `CreateCertificate` answer: leaf, then intermediates, then roots. The last element holds
 * one or more roots; a self-issued certificate is a root wherever it stands. Throws `PkiError`.
 */
export function readCertificateAnswer(certChain: readonly string[]): CertificateChain {
  if (certChain.length > MAX_ELEMENTS) {
    throw new PkiError(
      'bad_chain',
      `an answer of ${certChain.length} elements, at most ${MAX_ELEMENTS} are accepted`,
    );
  }
  // A text of its own for each element would multiply the limit by their number.
  let chars = 0;
  for (const element of certChain) chars += element.length;
  if (chars > CHAIN_LIMITS.maxChars) throw new PkiError('bad_chain', `an answer of ${chars} characters`);

  const elements = certChain.map(element => readCertificates(element));
  const roots = elements.length > 1 ? (elements.pop() ?? []) : [];
  const [leaf, ...others] = elements.flat();
  if (leaf === undefined || roots.length === 0) {
    throw new PkiError(
      'bad_chain',
      'the answer holds no leaf or no root: expected leaf, intermediates, roots',
    );
  }
  return {
    leaf,
    intermediates: others.filter(certificate => !certificate.selfIssued),
    roots: [...roots, ...others.filter(certificate => certificate.selfIssued)],
  };
}

/**
 * The path from `leaf` to one of `roots`, leaf first, root last. Every signature, CA flag and validity is checked.
 * Throws `PkiError` `bad_chain` or `not_valid_now`.
 */
export function verifyChain(
  leaf: CertificateFacts,
  intermediates: readonly CertificateFacts[],
  roots: readonly CertificateFacts[],
  nowMs: number,
): CertificateFacts[] {
  const path = [leaf];
  for (let current = leaf; path.length <= MAX_DEPTH; ) {
    const fault = validityFault(current, nowMs);
    if (fault !== undefined) throw new PkiError('not_valid_now', `certificate ${current.serial} is ${fault}`);
    if (roots.some(root => root.fingerprint === current.fingerprint)) return path;
    const issuer = findIssuer(current, roots) ?? findIssuer(current, intermediates);
    if (issuer === undefined || path.includes(issuer)) {
      throw new PkiError('bad_chain', `no CA certificate at hand signed certificate ${current.serial}`);
    }
    path.push(issuer);
    current = issuer;
  }
  throw new PkiError('bad_chain', `the chain is longer than ${MAX_DEPTH} certificates`);
}

/**
 * Checks that an answer is what was asked for: for this identity, over this public key (SubjectPublicKeyInfo DER),
 * valid now and signed by one of its roots. Throws `PkiError`.
 */
export function verifyAnswer(
  chain: CertificateChain,
  identity: string,
  publicKeySpki: Buffer,
  nowMs: number,
): void {
  if (!hasOnlyUriSan(chain.leaf, identity)) {
    throw new PkiError(
      'wrong_identity',
      `asked for ${identity}, got ${chain.leaf.x509.subjectAltName ?? 'no SAN'}`,
    );
  }
  if (!chain.leaf.x509.publicKey.export({ type: 'spki', format: 'der' }).equals(publicKeySpki)) {
    throw new PkiError(
      'bad_chain',
      `the certificate for ${identity} is over another key than the one asked for`,
    );
  }
  verifyChain(chain.leaf, chain.intermediates, chain.roots, nowMs);
}

function findIssuer(
  certificate: CertificateFacts,
  candidates: readonly CertificateFacts[],
): CertificateFacts | undefined {
  return candidates.find(
    issuer => issuer.isCa && certificate.x509.checkIssued(issuer.x509) && isSignedBy(certificate, issuer),
  );
}

function isSignedBy(certificate: CertificateFacts, issuer: CertificateFacts): boolean {
  try {
    return certificate.x509.verify(issuer.x509.publicKey);
  } catch {
    // A key of a kind that could not have made this signature: not the issuer.
    return false;
  }
}
