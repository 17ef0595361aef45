import { quoted, SpiffeError } from './spiffe-error.ts';

declare const trustDomainBrand: unique symbol;

/** A validated trust domain name, e.g. `cluster.local` (SPIFFE-ID §2.1). */
export type TrustDomain = string & { readonly [trustDomainBrand]: true };

const MAX_LENGTH = 255;
const PATTERN = /^[a-z0-9._-]+$/;

/** The reason why `text` is no trust domain name, or `undefined` when it is one. */
export function trustDomainFault(text: string): string | undefined {
  if (text === '') return 'the trust domain is empty';
  if (text.length > MAX_LENGTH) return `the trust domain is longer than ${MAX_LENGTH} characters`;
  if (!PATTERN.test(text)) return 'the trust domain may only hold a-z, 0-9, ".", "-" and "_"';
  return undefined;
}

export function isTrustDomain(text: string): text is TrustDomain {
  return trustDomainFault(text) === undefined;
}

/** Throws `SpiffeError` when `text` is not a trust domain name. */
export function parseTrustDomain(text: string): TrustDomain {
  if (isTrustDomain(text)) return text;
  throw new SpiffeError(`trust domain ${quoted(text)}: ${trustDomainFault(text)}`);
}
