import type { ExternalAuthorizer } from './external-authorizer.ts';

/** What is done to a request or its response. The order they are applied in is the waypoint's, not the list's. */
export type RouteFilter =
  | { readonly kind: 'request_headers'; readonly change: HeaderChange }
  | { readonly kind: 'response_headers'; readonly change: HeaderChange }
  | { readonly kind: 'redirect'; readonly redirect: Redirect }
  | { readonly kind: 'rewrite'; readonly rewrite: Rewrite }
  | DirectResponse
  | { readonly kind: 'fault'; readonly fault: Fault }
  | { readonly kind: 'mirror'; readonly mirror: Mirror }
  | { readonly kind: 'cors'; readonly cors: CorsPolicy }
  | { readonly kind: 'local_rate_limit'; readonly limit: LocalRateLimit }
  | { readonly kind: 'global_rate_limit'; readonly limit: GlobalRateLimit }
  | { readonly kind: 'external_authorization'; readonly authorizer: ExternalAuthorizer };

export interface HeaderChange {
  readonly set: readonly HeaderValue[];
  readonly add: readonly HeaderValue[];
  readonly remove: readonly string[];
}

export interface HeaderValue {
  readonly name: string;
  readonly value: string;
}

export interface Redirect {
  readonly scheme: string | undefined;
  readonly hostname: string | undefined;
  readonly port: number | undefined;
  readonly path: PathModifier | undefined;
  readonly status: number;
}

export interface Rewrite {
  readonly hostname: string | undefined;
  readonly path: PathModifier | undefined;
}

/**
 * `prefix` replaces what the rule's path match (of kind prefix or string_prefix) matched; `regex` replaces every match of
 * `pattern` (RE2 syntax, not anchored) by `value`, in which `\1` is what the first group matched and `\0` all of it.
 */
export type PathModifier =
  | { readonly kind: 'full' | 'prefix'; readonly value: string }
  | { readonly kind: 'regex'; readonly pattern: string; readonly value: string };

/** The waypoint answers itself. */
export interface DirectResponse {
  readonly kind: 'direct_response';
  readonly status: number;
  readonly body: string;
  /** `content-type` is `text/plain` when there is a body and it is not among them. */
  readonly headers: readonly HeaderValue[];
}

/** Both may strike one request: it is delayed, then aborted. Percentages are drawn independently, 0–100, in parts of a millionth. */
export interface Fault {
  readonly delay: { readonly percent: number; readonly fixedMs: number } | undefined;
  readonly abort: { readonly percent: number; readonly with: FaultAbort } | undefined;
}

export type FaultAbort =
  | { readonly kind: 'http_status'; readonly status: number }
  | { readonly kind: 'grpc_status'; readonly status: number };

/** A copy of the request is sent, its answer thrown away. */
export interface Mirror {
  /** `<namespace>/<hostname>`; undefined when the reference did not resolve: nothing is mirrored. */
  readonly service: string | undefined;
  readonly port: number;
  readonly subset: string | undefined;
  /** 0–100. */
  readonly percent: number;
}

export interface CorsPolicy {
  readonly allowOrigins: readonly OriginMatch[];
  /** `*` is any. */
  readonly allowMethods: readonly string[];
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly maxAgeMs: number | undefined;
  readonly allowCredentials: boolean;
  /** What becomes of a preflight whose origin matches none: sent on, or answered without CORS headers. */
  readonly unmatchedPreflights: 'forward' | 'answer';
}

/** `wildcard` holds one `*` for a part of the host name, or is `*` alone. */
export interface OriginMatch {
  readonly kind: 'exact' | 'prefix' | 'regex' | 'wildcard';
  readonly value: string;
}

/**
 * Held by each thread for its share. A request must pass `total` and the bucket of its source: of the first override that
 * names it, else one of its own by `identity`. Sources without identity share one bucket.
 */
export interface LocalRateLimit {
  readonly total: TokenBucket | undefined;
  readonly identity: TokenBucket | undefined;
  readonly overrides: readonly RateLimitOverride[];
  readonly status: number;
  /** Rules of a service whose limits have the same name here have the same buckets; undefined: the rule has its own. */
  readonly sharedAs: string | undefined;
}

export interface RateLimitOverride {
  /** SPIFFE ids. Each has a bucket of its own. */
  readonly identities: readonly string[];
  readonly bucket: TokenBucket;
}

/** Starts full. */
export interface TokenBucket {
  readonly maxTokens: number;
  readonly tokensPerFill: number;
  readonly fillIntervalMs: number;
}

/** Asked of a rate-limit service (`envoy.service.ratelimit.v3`). A descriptor with an entry that yields nothing is left out. */
export interface GlobalRateLimit {
  /** `<namespace>/<hostname>`. */
  readonly service: string;
  readonly port: number;
  readonly domain: string;
  readonly descriptors: readonly (readonly RateLimitEntry[])[];
  readonly timeoutMs: number;
  /** What becomes of a request when the service does not answer. */
  readonly failOpen: boolean;
}

export type RateLimitEntry =
  | { readonly kind: 'generic'; readonly key: string; readonly value: string }
  | { readonly kind: 'header'; readonly key: string; readonly header: string }
  | { readonly kind: 'source_ip' | 'source_identity' | 'service' | 'method' | 'path' };
