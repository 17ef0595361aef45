import type { RequestHead } from '#shared/http/exchange.ts';
import { getHeader } from '#shared/http/headers.ts';
import type { CorsPolicy, HeaderChange, HeaderValue, OriginMatch } from '#shared/route/route-filter.ts';
import { compileRegex, MATCHES_NOTHING } from '#shared/route/regex/regex.ts';
import type { FilterResponse } from './filter-response.ts';

/** A CORS policy of a route, ready to compare. */
export interface CompiledCors {
  readonly policy: CorsPolicy;
  readonly allows: (origin: string) => boolean;
  /** The response depends on the origin: caches must know. */
  readonly varies: boolean;
}

export type CorsOutcome =
  /** No request of a browser from another origin, or from one that is not allowed: nothing is done. */
  | { readonly kind: 'pass' }
  | { readonly kind: 'answer'; readonly response: FilterResponse }
  /** To be made to the response, whoever gives it. */
  | { readonly kind: 'change_response'; readonly change: HeaderChange };

export function compileCors(policy: CorsPolicy): CompiledCors {
  const matchers = policy.allowOrigins.map(compileOrigin);
  const [only] = policy.allowOrigins;
  const varies = policy.allowOrigins.length !== 1 || only?.kind !== 'exact';
  return { policy, allows: origin => matchers.some(matches => matches(origin)), varies };
}

/** Pure. Preflights are answered here (Fetch, "CORS-preflight fetch"), other requests get the headers on their response. */
export function applyCors(cors: CompiledCors, request: Pick<RequestHead, 'method' | 'headers'>): CorsOutcome {
  const origin = getHeader(request.headers, 'origin');
  if (origin === undefined || origin === '') return PASS;
  const method =
    request.method === 'OPTIONS' ? getHeader(request.headers, 'access-control-request-method') : undefined;
  const isPreflight = method !== undefined && method !== '';
  if (!cors.allows(origin)) {
    const answered = isPreflight && cors.policy.unmatchedPreflights === 'answer';
    return answered ? { kind: 'answer', response: response([]) } : PASS;
  }
  if (isPreflight)
    return { kind: 'answer', response: preflightResponse(cors, origin, method, request.headers) };
  return { kind: 'change_response', change: responseChange(cors, origin) };
}

const PASS: CorsOutcome = Object.freeze({ kind: 'pass' });

function preflightResponse(
  cors: CompiledCors,
  origin: string,
  method: string,
  headers: readonly string[],
): FilterResponse {
  const { allowHeaders, allowMethods, maxAgeMs } = cors.policy;
  const fields = originFields(cors, origin).flatMap(({ name, value }) => [name, value]);
  const put = (name: string, value: string): void => {
    if (value !== '') fields.push(name, value);
  };
  put('access-control-allow-methods', listed(cors, allowMethods, method));
  const asked = getHeader(headers, 'access-control-request-headers') ?? '';
  put('access-control-allow-headers', listed(cors, allowHeaders, asked));
  if (maxAgeMs !== undefined) put('access-control-max-age', String(Math.floor(maxAgeMs / 1_000)));
  if (cors.varies) put('vary', 'Origin');
  return response(fields);
}

/** With credentials `*` would be taken as a name (Fetch, "CORS protocol and credentials"): what was asked for is said. */
function listed({ policy }: CompiledCors, values: readonly string[], asked: string): string {
  if (!values.includes('*')) return values.join(', ');
  return policy.allowCredentials ? asked : '*';
}

function responseChange(cors: CompiledCors, origin: string): HeaderChange {
  const { exposeHeaders } = cors.policy;
  const set = originFields(cors, origin);
  if (exposeHeaders.length > 0)
    set.push({ name: 'access-control-expose-headers', value: exposeHeaders.join(', ') });
  return { set, add: cors.varies ? [{ name: 'vary', value: 'Origin' }] : [], remove: [] };
}

function originFields({ policy }: CompiledCors, origin: string): HeaderValue[] {
  const fields = [{ name: 'access-control-allow-origin', value: origin }];
  if (policy.allowCredentials) fields.push({ name: 'access-control-allow-credentials', value: 'true' });
  return fields;
}

function response(headers: string[]): FilterResponse {
  return { head: { status: 200, headers, contentLength: 0 }, body: '' };
}

/** Scheme and host of an origin are written in lower case by every browser: they are compared as they stand. */
function compileOrigin({ kind, value }: OriginMatch): (origin: string) => boolean {
  switch (kind) {
    case 'exact':
      return origin => origin === value;
    case 'prefix':
      return origin => origin.startsWith(value);
    case 'regex': {
      const compiled = compileRegex(value);
      const regex = compiled.ok ? compiled.regex : MATCHES_NOTHING;
      return origin => regex.matches(origin);
    }
    case 'wildcard':
      return compileWildcard(value);
  }
}

function compileWildcard(pattern: string): (origin: string) => boolean {
  if (pattern === '*') return () => true;
  const star = pattern.indexOf('*');
  const before = pattern.slice(0, star);
  const after = pattern.slice(star + 1);
  return origin => {
    const middle = origin.slice(before.length, origin.length - after.length);
    // A part of the host name, of one label or more: nothing that begins another part of the origin.
    return origin.startsWith(before) && origin.endsWith(after) && /^[^/:?#@]+$/.test(middle);
  };
}
