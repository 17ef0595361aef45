import { type TokenIdentity, tokenIdentity } from '#shared/authz/token-identity.ts';
import type { RequestHead } from '#shared/http/exchange.ts';
import { type HeaderList, removeHeader, setHeader } from '#shared/http/headers.ts';
import { checkClaims, type ClaimsFault, isIssuer } from '#shared/jwt/check-claims.ts';
import { claimAt, claimHeader } from '#shared/jwt/claim-values.ts';
import type { JwtKey } from '#shared/jwt/jwks.ts';
import type { JwtToken } from '#shared/jwt/token.ts';
import type { VerifiedTokens } from '#shared/jwt/verified-tokens.ts';
import type { TokenIssuer, TokenLocation } from '#shared/route/token-issuer.ts';
import { removeToken, tokenAt } from './token-location.ts';

/** Keys of an issuer as they are now. */
export type KeyLookup = (issuer: TokenIssuer) => readonly JwtKey[] | undefined;

export type TokenOutcome =
  /** No token anywhere: the request goes on, and policies say whether it may without one. */
  | { readonly kind: 'none' }
  | {
      readonly kind: 'verified';
      readonly identity: TokenIdentity;
      /** The first makes the identity; others only where their issuers ask for them. */
      readonly accepted: readonly AcceptedToken[];
    }
  | { readonly kind: 'refused'; readonly fault: ClaimsFault }
  /** The keys we have do not include the token's: newer ones may. */
  | { readonly kind: 'keys_needed'; readonly issuer: TokenIssuer };

export interface AcceptedToken {
  readonly issuer: TokenIssuer;
  readonly location: TokenLocation;
  readonly token: JwtToken;
}

interface Found {
  readonly issuer: TokenIssuer;
  readonly location: TokenLocation;
  readonly text: string;
}

/**
 * Verifies the tokens of a request. One that is good for some issuer makes the request's identity; with tokens none of which
 * is, the request is refused, and so it is without a good token of an issuer that must have one. Pure but for the memory of
 * verified tokens.
 * @param nowMs of the wall clock
 */
export function authenticate(
  issuers: readonly TokenIssuer[],
  request: Pick<RequestHead, 'headers' | 'path'>,
  tokens: VerifiedTokens,
  keysOf: KeyLookup,
  nowMs: number,
): TokenOutcome {
  const required = issuers.filter(issuer => issuer.required);
  const found = findTokens(issuers, request);
  if (found.length === 0) return required.length === 0 ? NONE : MISSING;
  const verify = (candidate: Found): TokenOutcome => check(candidate, tokens, keysOf, nowMs);
  if (required.length === 0) return firstGood(found, verify);
  return allOf(
    required.map(issuer =>
      firstGood(
        found.filter(candidate => candidate.issuer === issuer),
        verify,
      ),
    ),
  );
}

const NONE: TokenOutcome = Object.freeze({ kind: 'none' });
const NOT_CONFIGURED: ClaimsFault = { status: 401, reason: 'Jwt issuer is not configured' };
const MISSING: TokenOutcome = Object.freeze<TokenOutcome>({
  kind: 'refused',
  fault: { status: 401, reason: 'Jwt is missing' },
});

/** The first that is good, else what is wrong with the others. */
function firstGood(found: readonly Found[], verify: (candidate: Found) => TokenOutcome): TokenOutcome {
  if (found.length === 0) return MISSING;
  let refused: ClaimsFault | undefined;
  let needed: TokenIssuer | undefined;
  for (const candidate of found) {
    const outcome = verify(candidate);
    if (outcome.kind === 'verified') return outcome;
    if (outcome.kind === 'keys_needed') needed ??= outcome.issuer;
    else if (outcome.kind === 'refused') refused = worse(refused, outcome.fault);
  }
  if (needed !== undefined) return { kind: 'keys_needed', issuer: needed };
  return { kind: 'refused', fault: refused ?? NOT_CONFIGURED };
}

/** All of them must be good; the first that is not decides. */
function allOf(outcomes: readonly TokenOutcome[]): TokenOutcome {
  const accepted: AcceptedToken[] = [];
  let identity: TokenIdentity | undefined;
  for (const outcome of outcomes) {
    if (outcome.kind !== 'verified') return outcome;
    identity ??= outcome.identity;
    accepted.push(...outcome.accepted);
  }
  return identity === undefined ? NONE : { kind: 'verified', identity, accepted };
}

function findTokens(
  issuers: readonly TokenIssuer[],
  request: Pick<RequestHead, 'headers' | 'path'>,
): readonly Found[] {
  const found: Found[] = [];
  for (const issuer of issuers) {
    for (const location of issuer.from) {
      const text = tokenAt(location, request);
      if (text !== undefined) found.push({ issuer, location, text });
    }
  }
  return found;
}

/** That a token is of another issuer says less than what is wrong with it for its own. */
function worse(known: ClaimsFault | undefined, fault: ClaimsFault): ClaimsFault {
  return known === undefined || known.reason === NOT_CONFIGURED.reason ? fault : known;
}

function check(
  { issuer, location, text }: Found,
  tokens: VerifiedTokens,
  keysOf: KeyLookup,
  nowMs: number,
): TokenOutcome {
  const parsed = tokens.parse(text);
  if (!parsed.ok) return refused(parsed.reason);
  const { token } = parsed;
  if (!isIssuer(token.claims, issuer)) return { kind: 'refused', fault: NOT_CONFIGURED };
  const keys = keysOf(issuer);
  if (keys === undefined) return { kind: 'keys_needed', issuer };
  // The signature first: what the claims of a forged token say is nobody's business.
  switch (tokens.verify(text, token, keys).kind) {
    case 'unknown_key':
      return { kind: 'keys_needed', issuer };
    case 'bad_signature':
      return refused('Jwt verification fails');
    case 'verified': {
      const fault = checkClaims(token.claims, issuer, nowMs);
      if (fault !== undefined) return { kind: 'refused', fault };
      return {
        kind: 'verified',
        identity: tokenIdentity(token.claims, issuer.spaceDelimitedClaims),
        accepted: [{ issuer, location, token }],
      };
    }
  }
}

function refused(reason: string): TokenOutcome {
  return { kind: 'refused', fault: { status: 401, reason } };
}

/**
 * Headers that only a verified token may fill are taken from the client, in place; so are those that gateways to
 * applications (CGI, WSGI) take for the same, with an underscore for a hyphen.
 */
export function removeClaimedHeaders(
  issuers: readonly TokenIssuer[],
  { headers }: Pick<RequestHead, 'headers'>,
): void {
  for (const { outputClaimToHeaders, outputPayloadToHeader } of issuers) {
    if (outputPayloadToHeader !== undefined) removeAlike(headers, outputPayloadToHeader);
    for (const { header } of outputClaimToHeaders) removeAlike(headers, header);
  }
}

function removeAlike(headers: HeaderList, name: string): void {
  removeHeader(headers, name);
  const plain = withHyphens(name);
  for (let i = 0; i < headers.length; ) {
    const other = headers[i] ?? '';
    if (withHyphens(other) === plain) removeHeader(headers, other, i);
    else i += 2;
  }
}

function withHyphens(name: string): string {
  return name.includes('_') ? name.replaceAll('_', '-') : name;
}

/** What the upstream gets to see of an accepted token, in place. */
export function presentToken(
  { issuer, location, token }: AcceptedToken,
  request: Pick<RequestHead, 'headers' | 'path'>,
): void {
  if (!issuer.forwardOriginal) removeToken(location, request);
  if (issuer.outputPayloadToHeader !== undefined)
    setHeader(request.headers, issuer.outputPayloadToHeader, token.payload);
  for (const { claim, header } of issuer.outputClaimToHeaders) {
    const value = claimHeader(claimAt(token.claims, claim));
    if (value !== undefined) setHeader(request.headers, header, value);
  }
}
