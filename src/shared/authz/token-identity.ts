import { claimAt } from '../jwt/claim-values.ts';
import type { Claims } from '../jwt/token.ts';

/** Who a verified token (JWT) says made a request, as policies ask about it. */
export interface TokenIdentity {
  /** `<issuer>/<subject>`; undefined when the token names neither. */
  readonly principal: string | undefined;
  /** Those with several values in one text are lists. */
  readonly claims: Claims;
}

/** Of every token: values of them are written in one text, with spaces between (RFC 8693 §4.2). */
const SPACE_DELIMITED = ['scope', 'permission'] as const;

/** Istio's form of a request principal. @param spaceDelimited names of further claims, `a.b` of nested ones */
export function tokenIdentity(claims: Claims, spaceDelimited: readonly string[] = []): TokenIdentity {
  const { iss, sub } = claims;
  const principal = typeof iss === 'string' && typeof sub === 'string' ? `${iss}/${sub}` : undefined;
  let listed = claims;
  for (const name of SPACE_DELIMITED) listed = withList(listed, [name]);
  for (const name of spaceDelimited) listed = withList(listed, name.split('.'));
  return { principal, claims: listed };
}

function withList(claims: Claims, path: readonly string[]): Claims {
  const text = claimAt(claims, path);
  if (typeof text !== 'string') return claims;
  return replaced(
    claims,
    path,
    text.split(' ').filter(value => value !== ''),
  );
}

/** A copy with another value at the end of a way that is there. */
function replaced(claims: Claims, [name = '', ...rest]: readonly string[], value: readonly string[]): Claims {
  const inner = claims[name];
  const isObject = typeof inner === 'object' && inner !== null;
  return { ...claims, [name]: rest.length > 0 && isObject ? replaced({ ...inner }, rest, value) : value };
}
