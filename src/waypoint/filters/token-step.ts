import type { RequestHead } from '#shared/http/exchange.ts';
import type { ClaimsFault } from '#shared/jwt/check-claims.ts';
import type { VerifiedTokens } from '#shared/jwt/verified-tokens.ts';
import { RESPONSE_FLAGS } from '#shared/observability/response-flags.ts';
import { pathOf } from '#shared/route/path.ts';
import type { TokenIssuer } from '#shared/route/token-issuer.ts';
import type { CancelStep, FilterContext, FilterStep } from './filter-step.ts';
import type { KeySets } from './key-sets.ts';
import type { Refusal } from './refusal.ts';
import {
  authenticate,
  presentToken,
  removeClaimedHeaders,
  type TokenOutcome,
} from './token-authentication.ts';

/** Verifies the tokens of a request; where their keys are not known, once more with newer ones. */
export function tokenAuthentication(
  issuers: readonly TokenIssuer[],
  tokens: VerifiedTokens,
  keySets: KeySets,
): FilterStep {
  const keysOf = (issuer: TokenIssuer) => keySets.keysOf(issuer);
  return (context, done) => {
    const { request, downstream } = context;
    const verify = (): TokenOutcome =>
      authenticate(issuers, request, tokens, keysOf, downstream.env.clock.now());
    removeClaimedHeaders(issuers, request);
    const outcome = verify();
    if (outcome.kind === 'keys_needed')
      return refreshed(outcome.issuer, verify, keySets, last => done(conclude(last, context)));
    done(conclude(outcome, context));
    return undefined;
  };
}

/** Fetches newer keys of each issuer that has none for its token, once. @returns gives the wait up */
function refreshed(
  first: TokenIssuer,
  verify: () => TokenOutcome,
  keySets: KeySets,
  onEnd: (outcome: TokenOutcome) => void,
): CancelStep {
  const asked = new Set<TokenIssuer>();
  let giveUp: CancelStep | undefined;
  const ask = (issuer: TokenIssuer): void => {
    asked.add(issuer);
    let answered = false;
    const cancel = keySets.refresh(issuer, () => {
      answered = true;
      const outcome = verify();
      if (outcome.kind === 'keys_needed' && !asked.has(outcome.issuer)) ask(outcome.issuer);
      else onEnd(outcome);
    });
    // Where it was answered at once, another wait may have begun.
    if (!answered) giveUp = cancel;
  };
  ask(first);
  return () => giveUp?.();
}

function conclude(outcome: TokenOutcome, context: FilterContext): Refusal | undefined {
  switch (outcome.kind) {
    case 'none':
      return undefined;
    case 'verified':
      context.token = outcome.identity;
      for (const accepted of outcome.accepted) presentToken(accepted, context.request);
      return undefined;
    case 'keys_needed':
      return unauthenticated(NO_KEY, context.request);
    case 'refused':
      return unauthenticated(outcome.fault, context.request);
  }
}

const NO_KEY: ClaimsFault = {
  status: 401,
  reason: "Jwks doesn't have key to match kid or alg from Jwt",
};

/** RFC 6750 §3: the challenge says what is wrong with the token. */
function unauthenticated({ reason, status }: ClaimsFault, request: RequestHead): Refusal {
  const scheme = request.scheme === '' ? 'http' : request.scheme;
  const realm = `${scheme}://${request.authority}${pathOf(request.path)}`.replaceAll(/["\\]/g, '');
  const challenge = `Bearer realm="${realm}", error="invalid_token"`;
  return {
    status,
    headers: status === 401 ? ['www-authenticate', challenge] : [],
    body: reason,
    flag: RESPONSE_FLAGS.unauthorized,
    grpcStatus: status === 401 ? 16 : 7,
    detail: reason,
  };
}
