import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import type { SpiffeId } from '../spiffe/spiffe-id.ts';
import type { CertificateFacts } from './certificate-facts.ts';
import { exportPublicKey, type KeyHandle } from './crypto-provider.ts';
import { encodePem } from './pem.ts';
import { PkiError } from './pki-error.ts';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  type Name,
  PeculiarCertificate,
  PublicKey,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from './x509.ts';

/** Wall clock, milliseconds since the Unix epoch; a certificate holds whole seconds. */
export interface Validity {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** Who signs: a key and the subject name of its certificate, e.g. `CN=Root, O=cluster.local`. */
export interface CertificateIssuer {
  readonly subject: string | Name;
  readonly key: KeyHandle;
  /** Subject key identifier of the issuer's certificate, hexadecimal; by default derived from its key. */
  readonly keyId?: string;
}

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

/** Made once: encoding an extension costs a tenth of a signature. */
const LEAF_EXTENSIONS = [
  new BasicConstraintsExtension(false, undefined, true),
  new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
  new ExtendedKeyUsageExtension([SERVER_AUTH, CLIENT_AUTH]),
];
const authorityKeyIdentifiers = new WeakMap<CertificateIssuer, Extension>();

/**
 * The issuer of an existing CA certificate. Name and key identifier are taken from the certificate as they are: a CA
 * made by other software may encode or compute them in another way, and chains are matched by both.
 * Throws `PkiError` when `key` is not the certificate's key.
 */
export async function issuerOf(certificate: CertificateFacts, key: KeyHandle): Promise<CertificateIssuer> {
  const spki = certificate.x509.publicKey.export({ type: 'spki', format: 'der' });
  if (!spki.equals(await exportPublicKey(key))) {
    throw new PkiError('bad_key', `the private key is not the key of certificate ${certificate.serial}`);
  }
  const parsed = new PeculiarCertificate(certificate.x509.raw);
  const keyId = parsed.getExtension(SubjectKeyIdentifierExtension)?.keyId;
  return { subject: parsed.subjectName, key, ...(keyId === undefined ? {} : { keyId }) };
}

/** A self-signed CA certificate, PEM. */
export async function issueRoot(issuer: CertificateIssuer, validity: Validity): Promise<string> {
  return issue(issuer, issuer.subject, issuer.key.publicKey, validity, [
    new BasicConstraintsExtension(true, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    await subjectKeyIdentifier(issuer, issuer.key.publicKey),
    await authorityKeyIdentifier(issuer),
  ]);
}

/** A CA certificate that may sign leaves but no further CA (path length 0), PEM. */
export async function issueIntermediate(
  issuer: CertificateIssuer,
  subject: string,
  publicKey: CryptoKey,
  validity: Validity,
): Promise<string> {
  return issue(issuer, subject, publicKey, validity, [
    new BasicConstraintsExtension(true, 0, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    await subjectKeyIdentifier(issuer, publicKey),
    await authorityKeyIdentifier(issuer),
  ]);
}

/**
 * A workload's certificate (X.509-SVID), PEM. The identity is the one URI SAN and the subject is empty, so the SAN is
 * critical (RFC 5280 §4.2.1.6). Both extended key usages: the same workload is client and server. `serverNames` (DNS
 * names and IP addresses) are added for the controller alone, whose clients know it by host.
 */
export async function issueLeaf(
  issuer: CertificateIssuer,
  identity: SpiffeId,
  publicKeySpki: Uint8Array,
  validity: Validity,
  serverNames: readonly string[] = [],
): Promise<string> {
  const hosts = serverNames.map(value => ({
    type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const),
    value,
  }));
  return issue(issuer, '', new PublicKey(publicKeySpki), validity, [
    ...LEAF_EXTENSIONS,
    await authorityKeyIdentifier(issuer),
    new SubjectAlternativeNameExtension([{ type: 'url', value: identity }, ...hosts], true),
  ]);
}

async function issue(
  issuer: CertificateIssuer,
  subject: string | Name,
  publicKey: CryptoKey | PublicKey,
  validity: Validity,
  extensions: Extension[],
): Promise<string> {
  const { crypto } = issuer.key.provider;
  const certificate = await X509CertificateGenerator.create(
    {
      serialNumber: randomSerial(),
      issuer: issuer.subject,
      subject,
      notBefore: wholeSeconds(validity.notBeforeMs),
      notAfter: wholeSeconds(validity.notAfterMs),
      publicKey,
      signingKey: issuer.key.privateKey,
      signingAlgorithm: issuer.key.algorithm,
      extensions,
    },
    crypto,
  );
  return encodePem('CERTIFICATE', new Uint8Array(certificate.rawData));
}

/** A CA certificate's own identifier: what the authority key identifier of its leaves points to. */
async function subjectKeyIdentifier(issuer: CertificateIssuer, publicKey: CryptoKey): Promise<Extension> {
  return SubjectKeyIdentifierExtension.create(publicKey, false, issuer.key.provider.crypto);
}

async function authorityKeyIdentifier(issuer: CertificateIssuer): Promise<Extension> {
  const known = authorityKeyIdentifiers.get(issuer);
  if (known !== undefined) return known;
  const { key, keyId } = issuer;
  const made =
    keyId === undefined
      ? await AuthorityKeyIdentifierExtension.create(key.publicKey, false, key.provider.crypto)
      : new AuthorityKeyIdentifierExtension(keyId, false);
  authorityKeyIdentifiers.set(issuer, made);
  return made;
}

/** Rounded down: a fraction of a second would be cut from the encoding anyway, and `notAfter` must not grow. */
function wholeSeconds(ms: number): Date {
  return new Date(Math.floor(ms / 1000) * 1000);
}

/** 128 random bits, positive and without a leading zero byte (RFC 5280 §4.1.2.2), as hexadecimal. */
function randomSerial(): string {
  const bytes = randomBytes(16);
  bytes.writeUInt8((bytes.readUInt8(0) & 0x7f) | 0x40, 0);
  return bytes.toString('hex');
}
