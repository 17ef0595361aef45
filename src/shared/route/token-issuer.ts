/** One issuer of JSON Web Tokens (RFC 7519) whose tokens a service accepts, and what is made of them. */
export interface TokenIssuer {
  /** For logs: `<namespace>/<name>` of the object and the rule's index. */
  readonly name: string;
  /** Must be the token's `iss`; undefined is any. */
  readonly issuer: string | undefined;
  /** One must be in `aud`; empty is any. */
  readonly audiences: readonly string[];
  readonly keys: TokenKeys;
  /** Where tokens are looked for, in this order. Never empty: the default is `Authorization: Bearer` and `?access_token=`. */
  readonly from: readonly TokenLocation[];
  /** The token stays in the request for the upstream. */
  readonly forwardOriginal: boolean;
  /** Lower case; gets the payload in base64url. */
  readonly outputPayloadToHeader: string | undefined;
  readonly outputClaimToHeaders: readonly ClaimToHeader[];
  /** Of fetching keys. */
  readonly timeoutMs: number;
  readonly clockSkewMs: number;
  /** A verified token that lacks one of these is refused with 403. */
  readonly requiredClaims: readonly ClaimMatch[];
  /** Claims that hold several values with spaces between, `a.b` of nested ones; `scope` and `permission` always do. */
  readonly spaceDelimitedClaims: readonly string[];
  /** A request must have a good token of this issuer, whatever others it has. */
  readonly required: boolean;
}

/** `discovery`: `jwks_uri` of the issuer's OpenID configuration. */
export type TokenKeys =
  | { readonly kind: 'inline'; readonly jwks: string }
  | { readonly kind: 'uri'; readonly uri: string }
  | { readonly kind: 'discovery' };

export type TokenLocation =
  /** Lower case; `prefix` is cut off, a value without it is no token. */
  | { readonly kind: 'header'; readonly name: string; readonly prefix: string }
  | { readonly kind: 'query'; readonly name: string }
  | { readonly kind: 'cookie'; readonly name: string };

export interface ClaimToHeader {
  readonly header: string;
  /** Names of nested objects on the way to the claim. */
  readonly claim: readonly string[];
}

export interface ClaimMatch {
  readonly claim: readonly string[];
  readonly value: string;
}
