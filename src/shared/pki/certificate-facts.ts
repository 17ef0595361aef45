import { createHash, X509Certificate } from 'node:crypto';
import { CHAIN_LIMITS, decodePem, decodeSinglePem, encodePem, type PemLimits } from './pem.ts';
import { PkiError } from './pki-error.ts';

/** What this mesh needs to know of a certificate, read once. */
export interface CertificateFacts {
  readonly x509: X509Certificate;
  readonly pem: string;
  /** SHA-256 over the DER, lower-case hexadecimal. */
  readonly fingerprint: string;
  /** Lower-case hexadecimal. */
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly isCa: boolean;
  /** Subject and issuer are the same name: a root. */
  readonly selfIssued: boolean;
}

/** Throws `PkiError` `bad_certificate` when `der` is not one X.509 certificate. */
function readCertificate(der: Buffer): CertificateFacts {
  const x509 = parse(der);
  const notBeforeMs = x509.validFromDate.getTime();
  const notAfterMs = x509.validToDate.getTime();
  if (Number.isNaN(notBeforeMs) || Number.isNaN(notAfterMs)) {
    throw new PkiError('bad_certificate', 'the certificate has an unreadable validity');
  }
  return {
    x509,
    // The parser's own encoding: bytes behind the certificate's end do not live on.
    pem: encodePem('CERTIFICATE', x509.raw),
    fingerprint: createHash('sha256').update(x509.raw).digest('hex'),
    serial: x509.serialNumber.toLowerCase(),
    notBeforeMs,
    notAfterMs,
    isCa: x509.ca,
    selfIssued: x509.subject === x509.issuer,
  };
}

/** Every certificate of a PEM text, in order; other kinds of block are refused. Throws `PkiError`. */
export function readCertificates(pem: string, limits: PemLimits = CHAIN_LIMITS): CertificateFacts[] {
  return decodePem(pem, limits).map(block => {
    if (block.label !== 'CERTIFICATE') {
      throw new PkiError('bad_pem', `PEM block ${block.label} among certificates`);
    }
    return readCertificate(block.der);
  });
}

/** The certificate of a PEM text that must hold one. Throws `PkiError`. */
export function readSingleCertificate(pem: string): CertificateFacts {
  return readCertificate(decodeSinglePem(pem, ['CERTIFICATE'], { ...CHAIN_LIMITS, maxBlocks: 1 }).der);
}

/** True when exactly this URI, and nothing else, is the subject alternative name. */
export function hasOnlyUriSan(certificate: CertificateFacts, uri: string): boolean {
  return certificate.x509.subjectAltName === `URI:${uri}`;
}

/** `undefined` when the certificate is valid at `nowMs`, else a sentence that says how far it is off. */
export function validityFault(certificate: CertificateFacts, nowMs: number): string | undefined {
  if (nowMs < certificate.notBeforeMs) {
    return `not valid before ${isoTime(certificate.notBeforeMs)} (now ${isoTime(nowMs)}: check the clocks)`;
  }
  // RFC 5280 §4.1.2.5: notAfter itself is still within the validity.
  if (nowMs > certificate.notAfterMs) {
    return `expired at ${isoTime(certificate.notAfterMs)} (now ${isoTime(nowMs)})`;
  }
  return undefined;
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

function parse(der: Buffer): X509Certificate {
  try {
    return new X509Certificate(der);
  } catch (cause) {
    throw new PkiError('bad_certificate', 'the bytes are not an X.509 certificate', { cause });
  }
}
