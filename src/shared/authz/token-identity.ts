import type { Claims } from '../jwt/token.ts';

/** Who a verified token (JWT) says made a request, as policies ask about it. */
export interface TokenIdentity {
  /** `<issuer>/<subject>`; undefined when the token names neither. */
  readonly principal: string | undefined;
  readonly claims: Claims;
}

/** Istio's form of a request principal. */
export function tokenIdentity(claims: Claims): TokenIdentity {
  const { iss, sub } = claims;
  const principal = typeof iss === 'string' && typeof sub === 'string' ? `${iss}/${sub}` : undefined;
  return { principal, claims };
}
