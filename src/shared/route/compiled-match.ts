import { namesConnect } from './connect-match.ts';
import { compileHosts, matchesHost, type HostPatterns } from './host.ts';
import {
  type CompiledCondition,
  compileCondition,
  compilePathRegex,
  matchesCondition,
} from './match-condition.ts';
import type { RouteMatch, RouteRule, SourceMatch } from './model.ts';
import { pathOf } from './path.ts';
import type { SafeRegex } from './regex/regex.ts';
import {
  compileValue,
  matchesAbsentHeader,
  matchesHeader,
  matchesQuery,
  type CompiledValue,
} from './value-match.ts';

/** The parts of a request a route may look at; `RequestHead` is one. */
export interface RoutedRequest {
  readonly method: string;
  readonly scheme: string;
  readonly authority: string;
  readonly path: string;
  readonly headers: readonly string[];
}

/** Where a request comes from, as far as it is proved. */
export interface RouteCaller {
  readonly namespace: string | undefined;
  /** Uid of the workload. */
  readonly workload: string | undefined;
}

export const NO_CALLER: RouteCaller = Object.freeze({ namespace: undefined, workload: undefined });

/** The rule to follow and which of its matches led there (undefined: the rule matches every request). */
export interface RouteFound {
  readonly rule: RouteRule;
  readonly match: RouteMatch | undefined;
}

/** One match of one rule with everything but its path, which the trie has looked at. */
export interface CompiledMatch {
  readonly found: RouteFound;
  readonly ports: readonly number[] | undefined;
  readonly callers: readonly string[] | undefined;
  readonly hosts: HostPatterns | undefined;
  readonly method: string | undefined;
  /** Others never take one. */
  readonly takesConnect: boolean;
  readonly headers: readonly CompiledValue[];
  readonly withoutHeaders: readonly CompiledValue[];
  readonly query: readonly CompiledValue[];
  readonly source: CompiledSource | undefined;
  readonly condition: CompiledCondition | undefined;
  /** Of a path that is a pattern; undefined for the other kinds. */
  readonly pathRegex: SafeRegex | undefined;
}

export interface CompiledSource {
  readonly namespaces: readonly string[] | undefined;
  readonly workloads: ReadonlySet<string> | undefined;
}

export function compileMatch(rule: RouteRule, match: RouteMatch | undefined): CompiledMatch {
  return {
    found: Object.freeze({ rule, match }),
    ports: unlessEmpty(rule.ports),
    callers: unlessEmpty(rule.callers),
    hosts: compileHosts(rule.hosts),
    method: match?.method,
    takesConnect: match !== undefined && namesConnect(match),
    headers: (match?.headers ?? []).map(compileValue),
    withoutHeaders: (match?.withoutHeaders ?? []).map(compileValue),
    query: (match?.query ?? []).map(compileValue),
    source: match?.source && compileSource(match.source),
    condition: match?.condition && compileCondition(match.condition),
    pathRegex: match?.path?.kind === 'regex' ? compilePathRegex(match.path) : undefined,
  };
}

export function compileSource(source: SourceMatch): CompiledSource {
  return {
    namespaces: unlessEmpty(source.namespaces),
    workloads: source.workloads && new Set(source.workloads),
  };
}

export function matchesRequest(
  match: CompiledMatch,
  request: RoutedRequest,
  port: number,
  caller: RouteCaller,
): boolean {
  if (match.ports !== undefined && !match.ports.includes(port)) return false;
  if (match.method !== undefined && match.method !== request.method) return false;
  if (!match.takesConnect && request.method === 'CONNECT') return false;
  if (match.hosts !== undefined && !matchesHost(match.hosts, request.authority)) return false;
  if (match.callers !== undefined && !includes(match.callers, caller.namespace)) return false;
  if (match.source !== undefined && !matchesSource(match.source, caller)) return false;
  for (const header of match.headers) if (!matchesHeader(header, request)) return false;
  for (const header of match.withoutHeaders) if (matchesAbsentHeader(header, request)) return false;
  for (const parameter of match.query) if (!matchesQuery(parameter, request.path)) return false;
  if (match.condition !== undefined && !matchesCondition(match.condition, request)) return false;
  return match.pathRegex === undefined || match.pathRegex.matches(pathOf(request.path));
}

export function matchesSource(source: CompiledSource, caller: RouteCaller): boolean {
  if (source.namespaces !== undefined && !includes(source.namespaces, caller.namespace)) return false;
  if (source.workloads === undefined) return true;
  return caller.workload !== undefined && source.workloads.has(caller.workload);
}

function includes(list: readonly string[], value: string | undefined): boolean {
  return value !== undefined && list.includes(value);
}

function unlessEmpty<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}
