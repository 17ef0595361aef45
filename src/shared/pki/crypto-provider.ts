import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { Crypto as PeculiarCrypto } from '@peculiar/webcrypto';
import { encodePem } from './pem.ts';
import { PkiError } from './pki-error.ts';

/** WebCrypto parameters both to make a key and to sign with it. */
export type SigningAlgorithm = EcdsaAlgorithm | RsaAlgorithm;

export interface EcdsaAlgorithm {
  readonly name: 'ECDSA';
  readonly namedCurve: 'P-256' | 'P-384';
  readonly hash: 'SHA-256' | 'SHA-384';
}

export interface RsaAlgorithm {
  readonly name: 'RSASSA-PKCS1-v1_5';
  readonly hash: 'SHA-256';
}

const ECDSA_P256: EcdsaAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const ECDSA_P384: EcdsaAlgorithm = { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' };
const RSA_SHA256: RsaAlgorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };

/** A key pair whose private half may live in a device: it is only ever used through the provider that made it. */
export interface KeyHandle {
  readonly provider: CryptoProvider;
  readonly algorithm: SigningAlgorithm;
  readonly publicKey: CryptoKey;
  readonly privateKey: CryptoKey;
}

/**
 * Where keys are made and signatures computed. The default is software; one over PKCS#11 has the same WebCrypto shape
 * and gives keys that cannot be exported.
 */
export interface CryptoProvider {
  readonly name: string;
  readonly crypto: Crypto;
}

const peculiar = new PeculiarCrypto();

export const softwareProvider: CryptoProvider = { name: 'software', crypto: peculiar };

/** A new ECDSA P-256 key pair. `extractable` false for a key that is never written anywhere. */
export async function generateKey(provider: CryptoProvider, extractable: boolean): Promise<KeyHandle> {
  const pair = await provider.crypto.subtle.generateKey(ECDSA_P256, extractable, ['sign', 'verify']);
  return { provider, algorithm: ECDSA_P256, publicKey: pair.publicKey, privateKey: pair.privateKey };
}

/**
 * The key pair of a PEM private key (PKCS#8, PKCS#1 or SEC 1): ECDSA P-256 or P-384, or RSA of 2048 to 4096 bits.
 * Throws `PkiError` `bad_key` or `weak_key`.
 */
export async function importPrivateKey(provider: CryptoProvider, pem: string): Promise<KeyHandle> {
  const privateObject = parsePrivateKey(pem);
  const algorithm = algorithmOf(privateObject);
  const publicDer = createPublicKey(privateObject).export({ type: 'spki', format: 'der' });
  const privateDer = privateObject.export({ type: 'pkcs8', format: 'der' });
  const { subtle } = provider.crypto;
  const privateKey = await subtle.importKey('pkcs8', privateDer, algorithm, true, ['sign']);
  const publicKey = await subtle.importKey('spki', publicDer, algorithm, true, ['verify']);
  return { provider, algorithm, publicKey, privateKey };
}

/** PKCS#8 PEM. Rejects when the key is not extractable. */
export async function exportPrivateKey(key: KeyHandle): Promise<string> {
  return encodePem(
    'PRIVATE KEY',
    new Uint8Array(await key.provider.crypto.subtle.exportKey('pkcs8', key.privateKey)),
  );
}

/** SubjectPublicKeyInfo, DER. */
export async function exportPublicKey(key: KeyHandle): Promise<Buffer> {
  return Buffer.from(await key.provider.crypto.subtle.exportKey('spki', key.publicKey));
}

/** SubjectPublicKeyInfo (DER) of a PEM private key. Throws `PkiError` `bad_key`. */
export function publicKeyOf(privateKeyPem: string): Buffer {
  return createPublicKey(parsePrivateKey(privateKeyPem)).export({ type: 'spki', format: 'der' });
}

/** The algorithm a key signs with; throws `PkiError` `weak_key` for a key this mesh does not accept. */
export function algorithmOf(key: KeyObject): SigningAlgorithm {
  const details = key.asymmetricKeyDetails;
  if (key.asymmetricKeyType === 'ec') {
    if (details?.namedCurve === 'prime256v1') return ECDSA_P256;
    if (details?.namedCurve === 'secp384r1') return ECDSA_P384;
    throw new PkiError(
      'weak_key',
      `elliptic curve ${details?.namedCurve ?? '?'}, accepted are P-256 and P-384`,
    );
  }
  if (key.asymmetricKeyType === 'rsa') {
    const bits = details?.modulusLength ?? 0;
    // The upper bound is the cost of a verification, which a hostile request would otherwise choose.
    if (bits >= 2048 && bits <= 4096) return RSA_SHA256;
    throw new PkiError('weak_key', `RSA key of ${bits} bits, accepted are 2048 to 4096`);
  }
  throw new PkiError('weak_key', `key of type ${key.asymmetricKeyType ?? '?'}, accepted are ECDSA and RSA`);
}

function parsePrivateKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new PkiError('bad_key', 'the private key is not a PEM private key without a passphrase', { cause });
  }
}
