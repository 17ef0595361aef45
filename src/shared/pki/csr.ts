import { createPublicKey } from 'node:crypto';
import type { SpiffeId } from '../spiffe/spiffe-id.ts';
import { quoted } from '../spiffe/spiffe-error.ts';
import { algorithmOf, type CryptoProvider, type KeyHandle } from './crypto-provider.ts';
import { CSR_LIMITS, decodeSinglePem, encodePem } from './pem.ts';
import { PkiError } from './pki-error.ts';
import {
  BasicConstraintsExtension,
  Pkcs10CertificateRequest,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
} from './x509.ts';

export interface VerifiedCsr {
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKeySpki: Buffer;
}

const CSR_LABELS = ['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST'];
const HASHES = ['SHA-256', 'SHA-384', 'SHA-512'];

/** A PKCS#10 request, PEM, with an empty subject and the identity as its only (critical) URI SAN. */
export async function createCsr(key: KeyHandle, identity: SpiffeId): Promise<string> {
  const request = await Pkcs10CertificateRequestGenerator.create(
    {
      keys: { publicKey: key.publicKey, privateKey: key.privateKey },
      signingAlgorithm: key.algorithm,
      extensions: [new SubjectAlternativeNameExtension([{ type: 'url', value: identity }], true)],
    },
    key.provider.crypto,
  );
  return encodePem('CERTIFICATE REQUEST', new Uint8Array(request.rawData));
}

/**
 * Checks an untrusted request: its signature (the asker has the key), the strength of the key, and that its SAN is
 * exactly `identity`. Nothing else in it is used, so it cannot ask for more. Throws `PkiError`.
 */
export async function verifyCsr(
  provider: CryptoProvider,
  pem: string,
  identity: SpiffeId,
): Promise<VerifiedCsr> {
  const { der } = decodeSinglePem(pem, CSR_LABELS, CSR_LIMITS);
  const request = parseRequest(der);
  checkSubjectAltName(request, identity);
  const publicKeySpki = Buffer.from(request.publicKey.rawData);
  checkKey(publicKeySpki);
  if (!(await isSignatureValid(provider, request))) {
    throw new PkiError('bad_csr', 'the signature of the CSR does not match its key');
  }
  return { publicKeySpki };
}

function parseRequest(der: Buffer): Pkcs10CertificateRequest {
  if (declaredLength(der) !== der.length) {
    throw new PkiError('bad_csr', 'the CSR is not one DER sequence of the length it declares');
  }
  try {
    const request = new Pkcs10CertificateRequest(der);
    // Reading these decodes them: what cannot be decoded is refused here and nowhere later.
    if (request.extensions.length > 16 || request.attributes.length > 16) {
      throw new RangeError('more than 16 extensions or attributes');
    }
    if (request.publicKey.rawData.byteLength === 0) throw new RangeError('no public key');
    return request;
  } catch (cause) {
    throw new PkiError('bad_csr', 'the bytes are not a PKCS#10 certificate request', { cause });
  }
}

/**
 * Length that the outer SEQUENCE declares, header included, or -1. The parser ignores bytes behind its end, where a
 * strict reader of the same file would see something else.
 */
function declaredLength(der: Buffer): number {
  if (der.length < 4 || der.readUInt8(0) !== 0x30) return -1;
  const first = der.readUInt8(1);
  if (first < 0x80) return 2 + first;
  if (first === 0x81) return 3 + der.readUInt8(2);
  return first === 0x82 ? 4 + der.readUInt16BE(2) : -1;
}

function checkSubjectAltName(request: Pkcs10CertificateRequest, identity: SpiffeId): void {
  const names = [];
  for (const extension of request.extensions) {
    if (extension instanceof BasicConstraintsExtension && extension.ca) {
      throw new PkiError('bad_csr', 'the CSR asks for a CA certificate');
    }
    if (extension instanceof SubjectAlternativeNameExtension) names.push(...extension.names.items);
  }
  const [name] = names;
  if (name === undefined || names.length > 1 || name.type !== 'url') {
    throw new PkiError(
      'wrong_identity',
      `the CSR must hold one URI SAN and no other, it holds ${names.length} name(s)`,
    );
  }
  if (name.value !== identity) {
    throw new PkiError(
      'wrong_identity',
      `the CSR’s SAN is ${quoted(name.value)}, the identity asked for is ${identity}`,
    );
  }
}

function checkKey(publicKeySpki: Buffer): void {
  let key: ReturnType<typeof createPublicKey>;
  try {
    key = createPublicKey({ key: publicKeySpki, format: 'der', type: 'spki' });
  } catch (cause) {
    throw new PkiError('bad_csr', 'the CSR’s public key cannot be read', { cause });
  }
  algorithmOf(key);
}

async function isSignatureValid(
  provider: CryptoProvider,
  request: Pkcs10CertificateRequest,
): Promise<boolean> {
  try {
    if (!HASHES.includes(hashOf(request))) return false;
    return await request.verify(provider.crypto);
  } catch {
    // An algorithm that does not fit the key, or a signature that cannot be decoded.
    return false;
  }
}

function hashOf(request: Pkcs10CertificateRequest): string {
  const algorithm: { readonly hash?: unknown } = request.signatureAlgorithm;
  const { hash } = algorithm;
  if (typeof hash !== 'object' || hash === null || !('name' in hash)) return '';
  return typeof hash.name === 'string' ? hash.name : '';
}
