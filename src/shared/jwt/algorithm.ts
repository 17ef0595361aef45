import { constants, type KeyObject, verify } from 'node:crypto';

/** Signature algorithms of RFC 7518 §3 and RFC 8037 that are taken: asymmetric ones, so that who verifies cannot sign. */
export type JwtAlgorithm =
  | 'RS256'
  | 'RS384'
  | 'RS512'
  | 'PS256'
  | 'PS384'
  | 'PS512'
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'EdDSA';

interface Scheme {
  readonly hash: string | undefined;
  readonly keyType: string;
  /** Of an elliptic curve, in OpenSSL's words. */
  readonly curve: string | undefined;
  readonly pss: boolean;
}

const SCHEMES: Readonly<Record<JwtAlgorithm, Scheme>> = {
  RS256: { hash: 'sha256', keyType: 'rsa', curve: undefined, pss: false },
  RS384: { hash: 'sha384', keyType: 'rsa', curve: undefined, pss: false },
  RS512: { hash: 'sha512', keyType: 'rsa', curve: undefined, pss: false },
  PS256: { hash: 'sha256', keyType: 'rsa', curve: undefined, pss: true },
  PS384: { hash: 'sha384', keyType: 'rsa', curve: undefined, pss: true },
  PS512: { hash: 'sha512', keyType: 'rsa', curve: undefined, pss: true },
  ES256: { hash: 'sha256', keyType: 'ec', curve: 'prime256v1', pss: false },
  ES384: { hash: 'sha384', keyType: 'ec', curve: 'secp384r1', pss: false },
  ES512: { hash: 'sha512', keyType: 'ec', curve: 'secp521r1', pss: false },
  EdDSA: { hash: undefined, keyType: 'ed25519', curve: undefined, pss: false },
};

const ALGORITHMS: readonly JwtAlgorithm[] = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
];

/** `none` and the HMAC family are no algorithms here. */
export function isJwtAlgorithm(name: unknown): name is JwtAlgorithm {
  return typeof name === 'string' && Object.hasOwn(SCHEMES, name);
}

/** What a key can be used with, by its kind alone. */
export function algorithmsOf(key: KeyObject): readonly JwtAlgorithm[] {
  const curve = key.asymmetricKeyDetails?.namedCurve;
  return ALGORITHMS.filter(name => {
    const scheme = SCHEMES[name];
    return scheme.keyType === key.asymmetricKeyType && scheme.curve === curve;
  });
}

/** Synchronous: 20–150 µs. ECDSA signatures are the two numbers side by side (RFC 7518 §3.4). */
export function verifySignature(
  algorithm: JwtAlgorithm,
  key: KeyObject,
  signed: Buffer,
  signature: Buffer,
): boolean {
  const { hash, keyType, pss } = SCHEMES[algorithm];
  if (pss) {
    const padding = constants.RSA_PKCS1_PSS_PADDING;
    return verify(hash, signed, { key, padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }, signature);
  }
  if (keyType === 'ec') return verify(hash, signed, { key, dsaEncoding: 'ieee-p1363' }, signature);
  return verify(hash, signed, key, signature);
}
