import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { parseUriNames } from './subject-alt-names.ts';

/** Only alternative names count (RFC 9525 §2): the subject is free text. */
const RULES = { subject: 'never', partialWildcards: false } as const;

/**
 * Why a server is none of those who were expected; undefined when it is one. It is compared here and not by the TLS library,
 * which can be told several names, but not one list of DNS names, addresses and URIs of which any will do.
 * @param der the server's certificate
 * @param names of which one must be in it; empty: any
 */
export function serverNameError(der: Buffer, names: readonly string[]): string | undefined {
  if (names.length === 0) return undefined;
  const certificate = new X509Certificate(der);
  if (names.some(name => isNamed(certificate, name))) return undefined;
  const held = (certificate.subjectAltName ?? 'no name at all').slice(0, MAX_SHOWN);
  return `the server's certificate is for ${held}; expected ${names.join(' or ').slice(0, MAX_SHOWN)}`;
}

/** Of certificates and policies with hundreds of names. */
const MAX_SHOWN = 300;

function isNamed(certificate: X509Certificate, name: string): boolean {
  if (isIP(name) !== 0) return certificate.checkIP(name) !== undefined;
  if (name.includes(':')) return parseUriNames(certificate.subjectAltName)?.includes(name) === true;
  return certificate.checkHost(name, RULES) !== undefined;
}
