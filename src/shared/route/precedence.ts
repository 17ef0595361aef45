import type { PathMatch, RouteMatch, RouteRule } from './model.ts';

/** A translated HTTPRoute rule with what Gateway API orders routes by. */
export interface RankedRule {
  readonly rule: RouteRule;
  /** Of the route object; RFC 3339 in UTC, so that text order is time order. Empty sorts first. */
  readonly creationTimestamp: string;
  readonly namespace: string;
  readonly name: string;
  /** Of the rule in its object. */
  readonly ruleIndex: number;
  /**
   * Compared before anything else, larger first, for kinds of routes that have an order of their own (GRPCRoute: characters
   * of service and method). Undefined for the others.
   */
  readonly specificity: readonly number[] | undefined;
}

/**
 * Puts rules in the order Gateway API defines: exact path, longest prefix, (patterns and no path after them), method
 * match, number of header matches, number of query matches, oldest route, name, order in the route. Matches of one rule
 * may rank apart, so a rule may come out in several parts, each with some of its matches.
 */
export function sortByPrecedence(rules: readonly RankedRule[]): RouteRule[] {
  const parts = rules.flatMap(splitByMatch);
  parts.sort(comparePrecedence);
  return joinNeighbours(parts);
}

/** One match of a rule. */
export interface RankedMatch {
  readonly ranked: RankedRule;
  /** Undefined for a rule that matches everything. */
  readonly match: RouteMatch | undefined;
  readonly matchIndex: number;
}

function splitByMatch(ranked: RankedRule): RankedMatch[] {
  if (ranked.rule.matches.length === 0) return [{ ranked, match: undefined, matchIndex: 0 }];
  return ranked.rule.matches.map((match, matchIndex) => ({ ranked, match, matchIndex }));
}

/** A total order: two parts compare equal only when they are the same part of the same rule. */
export function comparePrecedence(a: RankedMatch, b: RankedMatch): number {
  return (
    compareSpecificity(a.ranked.specificity, b.ranked.specificity) ||
    pathRank(b.match?.path) - pathRank(a.match?.path) ||
    prefixLength(b.match?.path) - prefixLength(a.match?.path) ||
    Number(b.match?.method !== undefined) - Number(a.match?.method !== undefined) ||
    headerCount(b.match) - headerCount(a.match) ||
    (b.match?.query.length ?? 0) - (a.match?.query.length ?? 0) ||
    compareText(a.ranked.creationTimestamp, b.ranked.creationTimestamp) ||
    compareText(`${a.ranked.namespace}/${a.ranked.name}`, `${b.ranked.namespace}/${b.ranked.name}`) ||
    a.ranked.ruleIndex - b.ranked.ruleIndex ||
    a.matchIndex - b.matchIndex
  );
}

function compareSpecificity(a: RankedRule['specificity'] = [], b: RankedRule['specificity'] = []): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (b[i] ?? 0) - (a[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Gateway API leaves the place of patterns open: here they come between exact paths and prefixes, as in Istio. */
function pathRank(path: PathMatch | undefined): number {
  switch (path?.kind) {
    case 'exact':
      return 3;
    case 'regex':
      return 2;
    case 'prefix':
    case 'string_prefix':
      return 1;
    case undefined:
      return 0;
  }
}

/** Characters, for prefixes and patterns; a trailing slash of a prefix means nothing. */
function prefixLength(path: PathMatch | undefined): number {
  if (path === undefined || path.kind === 'exact') return 0;
  return path.kind === 'prefix' ? path.value.replace(/\/+$/, '').length : path.value.length;
}

function headerCount(match: RouteMatch | undefined): number {
  return match === undefined ? 0 : match.headers.length + match.withoutHeaders.length;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Parts of one rule that ended up side by side become one rule again. */
function joinNeighbours(parts: readonly RankedMatch[]): RouteRule[] {
  const joined: RouteRule[] = [];
  let last: RankedRule | undefined;
  for (const { ranked, match } of parts) {
    const matches = match === undefined ? [] : [match];
    const previous = joined.at(-1);
    if (previous !== undefined && last === ranked) {
      joined[joined.length - 1] = { ...previous, matches: [...previous.matches, ...matches] };
    } else joined.push({ ...ranked.rule, matches });
    last = ranked;
  }
  return joined;
}
