import type { ClaimMatch, TokenIssuer } from '../route/token-issuer.ts';
import { claimAt, claimTexts } from './claim-values.ts';
import type { Claims } from './token.ts';

export type ClaimsRule = Pick<TokenIssuer, 'issuer' | 'audiences' | 'clockSkewMs' | 'requiredClaims'>;

/** Why a well signed token is not good here. The texts are Envoy's, which users search for. */
export interface ClaimsFault {
  readonly status: 401 | 403;
  readonly reason: string;
}

/** @param nowMs of the wall clock */
export function checkClaims(claims: Claims, rule: ClaimsRule, nowMs: number): ClaimsFault | undefined {
  if (!isIssuer(claims, rule)) return NOT_CONFIGURED;
  const time = checkTime(claims, nowMs, rule.clockSkewMs);
  if (time !== undefined) return time;
  if (rule.audiences.length > 0 && !hasAudience(claims, rule.audiences)) return WRONG_AUDIENCE;
  return rule.requiredClaims.every(required => hasClaim(claims, required)) ? undefined : CLAIM_MISSING;
}

export function isIssuer(claims: Claims, { issuer }: Pick<ClaimsRule, 'issuer'>): boolean {
  return issuer === undefined || claims['iss'] === issuer;
}

const NOT_CONFIGURED: ClaimsFault = { status: 401, reason: 'Jwt issuer is not configured' };
const NO_TIME: ClaimsFault = { status: 401, reason: 'Jwt [exp] or [nbf] field is not a number' };
const TOO_EARLY: ClaimsFault = { status: 401, reason: 'Jwt not yet valid' };
const EXPIRED: ClaimsFault = { status: 401, reason: 'Jwt is expired' };
const WRONG_AUDIENCE: ClaimsFault = { status: 403, reason: 'Audiences in Jwt are not allowed' };
const CLAIM_MISSING: ClaimsFault = { status: 403, reason: 'Jwt lacks a required claim' };

function checkTime({ exp, nbf }: Claims, nowMs: number, skewMs: number): ClaimsFault | undefined {
  if (!isTime(exp) || !isTime(nbf)) return NO_TIME;
  if (nbf !== undefined && nbf * 1_000 > nowMs + skewMs) return TOO_EARLY;
  return exp !== undefined && exp * 1_000 + skewMs <= nowMs ? EXPIRED : undefined;
}

function isTime(value: unknown): value is number | undefined {
  return value === undefined || (typeof value === 'number' && Number.isFinite(value));
}

/** Issuers write `https://api.example.com/` for `https://api.example.com` and the other way round: both are taken. */
function hasAudience({ aud }: Claims, wanted: readonly string[]): boolean {
  const audiences = claimTexts(aud).map(withoutTrailingSlash);
  return wanted.some(audience => audiences.includes(withoutTrailingSlash(audience)));
}

function withoutTrailingSlash(audience: string): string {
  return audience.endsWith('/') ? audience.slice(0, -1) : audience;
}

function hasClaim(claims: Claims, { claim, value }: ClaimMatch): boolean {
  return claimTexts(claimAt(claims, claim)).includes(value);
}
