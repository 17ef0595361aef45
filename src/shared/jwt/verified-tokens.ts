import { verifySignature } from './algorithm.ts';
import type { JwtKey } from './jwks.ts';
import { parseToken, type JwtToken, type TokenResult } from './token.ts';

export type KeyCheck =
  | { readonly kind: 'verified' }
  /** No key of the set is for this token: the set may be an old one. */
  | { readonly kind: 'unknown_key' }
  | { readonly kind: 'bad_signature' };

interface KnownToken {
  readonly token: JwtToken;
  /** That verified it. A key that is no longer in the set no longer counts. */
  key: JwtKey | undefined;
}

const MAX_TOKENS = 1_000;
/** Longer ones are verified each time: the memory of the cache is bounded by the product. */
const MAX_KEPT_CHARS = 8 * 1024;

/**
 * Tokens a thread has seen lately, taken apart, with the key that verified each: a client sends the same token with every
 * request, and a signature costs more than the rest of the request. What depends on time or rule is not kept.
 */
export class VerifiedTokens {
  /** In order of last use. */
  readonly #known = new Map<string, KnownToken>();

  get size(): number {
    return this.#known.size;
  }

  parse(text: string): TokenResult {
    const known = this.#known.get(text);
    return known === undefined ? parseToken(text) : { ok: true, token: known.token };
  }

  verify(text: string, token: JwtToken, keys: readonly JwtKey[]): KeyCheck {
    const known = this.#known.get(text);
    if (known?.key !== undefined && keys.includes(known.key)) {
      this.#known.delete(text);
      this.#known.set(text, known);
      return VERIFIED;
    }
    const candidates = keys.filter(key => isFor(key, token));
    if (candidates.length === 0) return UNKNOWN_KEY;
    const { algorithm, signature, signed } = token;
    const key = candidates.find(candidate => verifySignature(algorithm, candidate.key, signed, signature));
    if (key === undefined) return token.kid === undefined ? UNKNOWN_KEY : BAD_SIGNATURE;
    this.#remember(text, { token, key });
    return VERIFIED;
  }

  #remember(text: string, known: KnownToken): void {
    if (text.length > MAX_KEPT_CHARS) return;
    this.#known.delete(text);
    this.#known.set(text, known);
    if (this.#known.size <= MAX_TOKENS) return;
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest);
      return;
    }
  }
}

const VERIFIED: KeyCheck = Object.freeze({ kind: 'verified' });
const UNKNOWN_KEY: KeyCheck = Object.freeze({ kind: 'unknown_key' });
const BAD_SIGNATURE: KeyCheck = Object.freeze({ kind: 'bad_signature' });

function isFor(key: JwtKey, { algorithm, kid }: JwtToken): boolean {
  if (!key.algorithms.includes(algorithm)) return false;
  return kid === undefined || key.kid === undefined || key.kid === kid;
}
