import { compileHosts, matchesHost, type HostPatterns } from './host.ts';
import type { PathMatch, RouteMatch, RouteRule } from './model.ts';
import { pathOf } from './path.ts';
import { compileRegex, MATCHES_NOTHING, type SafeRegex } from './regex/regex.ts';
import { compileValue, matchesHeader, matchesQuery, type CompiledValue } from './value-match.ts';

/** The parts of a request a route may look at; `RequestHead` is one. */
export interface RoutedRequest {
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  readonly headers: readonly string[];
}

/** The rule to follow and which of its matches led there (undefined: the rule matches every request). */
export interface RouteFound {
  readonly rule: RouteRule;
  readonly match: RouteMatch | undefined;
}

/** One match of one rule with everything but its path, which the trie has looked at. */
export interface CompiledMatch {
  readonly found: RouteFound;
  readonly ports: readonly number[] | undefined;
  readonly hosts: HostPatterns | undefined;
  readonly method: string | undefined;
  readonly headers: readonly CompiledValue[];
  readonly withoutHeaders: readonly CompiledValue[];
  readonly query: readonly CompiledValue[];
  /** Of a path that is a pattern; undefined for the other kinds. */
  readonly pathRegex: SafeRegex | undefined;
}

export function compileMatch(rule: RouteRule, match: RouteMatch | undefined): CompiledMatch {
  return {
    found: Object.freeze({ rule, match }),
    ports: rule.ports.length === 0 ? undefined : rule.ports,
    hosts: compileHosts(rule.hosts),
    method: match?.method,
    headers: (match?.headers ?? []).map(compileValue),
    withoutHeaders: (match?.withoutHeaders ?? []).map(compileValue),
    query: (match?.query ?? []).map(compileValue),
    pathRegex: match?.path?.kind === 'regex' ? compilePathRegex(match.path) : undefined,
  };
}

function compilePathRegex(path: PathMatch): SafeRegex {
  const result = compileRegex(path.ignoreCase ? `(?i)${path.value}` : path.value);
  return result.ok ? result.regex : MATCHES_NOTHING;
}

export function matchesRequest(match: CompiledMatch, request: RoutedRequest, port: number): boolean {
  if (match.ports !== undefined && !match.ports.includes(port)) return false;
  if (match.method !== undefined && match.method !== request.method) return false;
  if (match.hosts !== undefined && !matchesHost(match.hosts, request.authority)) return false;
  for (const header of match.headers) if (!matchesHeader(header, request.headers)) return false;
  for (const header of match.withoutHeaders) if (matchesHeader(header, request.headers)) return false;
  for (const parameter of match.query) if (!matchesQuery(parameter, request.path)) return false;
  return match.pathRegex === undefined || match.pathRegex.matches(pathOf(request.path));
}
