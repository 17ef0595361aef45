import { createPublicKey, type KeyObject } from 'node:crypto';
import { errorMessage } from '../observability/error-message.ts';
import { algorithmsOf, type JwtAlgorithm } from './algorithm.ts';

/** A public key an issuer signs with. */
export interface JwtKey {
  /** Undefined: a token is tried with this key whatever key it names. */
  readonly kid: string | undefined;
  readonly algorithms: readonly JwtAlgorithm[];
  readonly key: KeyObject;
}

export type JwksResult =
  | {
      readonly ok: true;
      readonly keys: readonly JwtKey[];
      /** Why a key of the set is not used; such keys do no harm to the others. */
      readonly skipped: readonly string[];
    }
  | { readonly ok: false; readonly reason: string };

export const MAX_JWKS_BYTES = 256 * 1024;
const MAX_KEYS = 100;
/** RFC 7518 §3.3: shorter RSA keys must not be used. */
const MIN_RSA_BITS = 2048;

/** Reads a JSON Web Key Set (RFC 7517 §5). Keys of other uses or kinds are passed over; a set without any usable key is refused. */
export function parseJwks(text: string): JwksResult {
  if (text.length > MAX_JWKS_BYTES) return refused(`is longer than ${MAX_JWKS_BYTES} bytes`);
  const list = keyList(text);
  if (typeof list === 'string') return refused(list);
  const keys: JwtKey[] = [];
  const skipped: string[] = [];
  for (const [index, item] of list.entries()) {
    const key = readKey(item);
    if (typeof key === 'string') skipped.push(`keys[${index}] ${key}`);
    else keys.push(key);
  }
  if (keys.length > 0) return { ok: true, keys, skipped };
  return refused(skipped.length === 0 ? 'has no keys' : `has no usable key: ${skipped.join('; ')}`);
}

function refused(problem: string): JwksResult {
  return { ok: false, reason: `the key set ${problem}` };
}

function keyList(text: string): readonly unknown[] | string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    return `is not JSON: ${errorMessage(error)}`;
  }
  const keys = isObject(parsed) ? parsed['keys'] : undefined;
  if (!Array.isArray(keys)) return 'has no list "keys" (RFC 7517 §5)';
  return keys.length > MAX_KEYS ? `has ${keys.length} keys; at most ${MAX_KEYS} are taken` : keys;
}

/** @returns why the key is not used */
function readKey(item: unknown): JwtKey | string {
  if (!isObject(item)) return 'is not an object';
  const { alg, key_ops: operations, kid, use } = item;
  if (use !== undefined && use !== 'sig') return `is for ${JSON.stringify(use)}, not for signatures`;
  if (Array.isArray(operations) && !operations.includes('verify')) return 'is not for verifying';
  if (kid !== undefined && typeof kid !== 'string') return 'has a kid that is no text';
  const key = publicKey(item);
  if (typeof key === 'string') return key;
  const bits = key.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined && bits < MIN_RSA_BITS)
    return `is an RSA key of ${bits} bits, below ${MIN_RSA_BITS}`;
  const able = algorithmsOf(key);
  const algorithms = alg === undefined ? able : able.filter(algorithm => algorithm === alg);
  if (algorithms.length > 0) return { kid, algorithms, key };
  return alg === undefined
    ? 'is of a kind no supported algorithm uses'
    : `cannot be used with ${JSON.stringify(alg)}`;
}

function publicKey(item: Record<string, unknown>): KeyObject | string {
  const { kty } = item;
  if (kty !== 'RSA' && kty !== 'EC' && kty !== 'OKP') {
    return `is of kty ${JSON.stringify(kty)}; RSA, EC and OKP are supported`;
  }
  try {
    return createPublicKey({ key: item, format: 'jwk' });
  } catch (error) {
    return `is not a valid ${kty} key: ${errorMessage(error)}`;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
