import type { SpiffeId } from '#shared/spiffe/spiffe-id.ts';

/** Who called, as its token proves. A node proxy may ask for the identities of the pods on its node. */
export type Caller =
  | { readonly kind: 'workload'; readonly identity: SpiffeId }
  | { readonly kind: 'node'; readonly identity: SpiffeId; readonly node: string };

export type Authentication =
  | { readonly ok: true; readonly caller: Caller }
  | { readonly ok: false; readonly reason: string };

/** One way to check a bearer token: signed join tokens here, Kubernetes TokenReview elsewhere. */
export interface TokenAuthenticator {
  readonly name: string;
  /** A token that is not acceptable is a result; a rejection means that it could not be checked now. */
  authenticate(token: string, signal: AbortSignal): Promise<Authentication>;
}

/** A Kubernetes token is about 1 KB. */
const MAX_TOKEN_CHARS = 16 * 1024;
const BEARER = 'Bearer ';

/**
 * The caller of a request with this `authorization` metadata value: the first authenticator that accepts the token
 * decides. The reason never quotes the token.
 */
export async function authenticateBearer(
  authenticators: readonly TokenAuthenticator[],
  authorization: string | undefined,
  signal: AbortSignal,
): Promise<Authentication> {
  if (authorization === undefined || !authorization.startsWith(BEARER)) {
    return { ok: false, reason: 'no bearer token in the authorization metadata' };
  }
  const token = authorization.slice(BEARER.length);
  if (token.length > MAX_TOKEN_CHARS) return { ok: false, reason: `a token of ${token.length} characters` };
  const reasons: string[] = [];
  for (const authenticator of authenticators) {
    const result = await authenticator.authenticate(token, signal);
    if (result.ok) return result;
    reasons.push(`${authenticator.name}: ${result.reason}`);
  }
  return { ok: false, reason: reasons.join('; ') || 'no way to check tokens is configured' };
}
