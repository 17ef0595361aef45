import { compileMatch, matchesRequest } from './compiled-match.ts';
import type { CompiledMatch, RoutedRequest, RouteFound } from './compiled-match.ts';
import type { PathMatch, RouteRule, ServiceRoutes } from './model.ts';
import { pathEnd } from './path.ts';
import { addToTrie, makeTrie, walkTrie, type PathTrie, type TrieKind } from './path-trie.ts';

/** Chooses the rule for a request, at a cost that does not grow with the number of rules with paths of their own. */
export interface RouteMatcher {
  /**
   * The first rule, in the order given, that matches. `port` is the service port the request came to, `caller` the
   * namespace it came from where that is proved. Undefined when none does: with `hasRulesFor`, that is a 404.
   *
   * The path is compared as it stands: the waypoint normalizes it first (`normalizeTarget`). Allocates nothing for
   * rules without query parameters, host names or repeated headers.
   */
  find(request: RoutedRequest, port: number, caller?: string): RouteFound | undefined;
  /**
   * Whether any rule is for this service port and caller. Where none is, nothing is attached for them: a request goes to
   * the service itself, although other ports or callers are routed.
   */
  hasRulesFor(port: number, caller?: string): boolean;
}

/** Compile once per version of the routes. Immutable but for scratch space: for use in one thread. */
export function compileRoutes(routes: Pick<ServiceRoutes, 'rules'>): RouteMatcher {
  const forEveryone = buildTable(routes.rules.filter(rule => rule.consumer === undefined));
  const consumers = new Map<string, RouteTable>();
  for (const { consumer } of routes.rules) {
    if (consumer === undefined || consumers.has(consumer)) continue;
    consumers.set(consumer, buildTable(routes.rules.filter(rule => rule.consumer === consumer)));
  }
  const tableFor = (port: number, caller: string | undefined): RouteTable => {
    if (consumers.size === 0 || caller === undefined) return forEveryone;
    const own = consumers.get(caller);
    return own !== undefined && isFor(own, port) ? own : forEveryone;
  };
  // One scratch for all calls: `find` is synchronous and does not call itself.
  const search: Search = { table: forEveryone, request: NO_REQUEST, port: 0, best: 0 };
  return {
    find: (request, port, caller) => {
      search.table = tableFor(port, caller);
      return find(search, request, port);
    },
    hasRulesFor: (port, caller) => isFor(tableFor(port, caller), port),
  };
}

interface RouteTable {
  readonly rules: readonly RouteRule[];
  /** In order of precedence; the index is the precedence. */
  readonly entries: readonly CompiledMatch[];
  readonly paths: PathTrie;
  readonly pathsIgnoringCase: PathTrie;
  /** Entries without a path or with a pattern, ascending. */
  readonly others: readonly number[];
}

interface Search {
  table: RouteTable;
  request: RoutedRequest;
  port: number;
  /** Lowest index found so far; only lower ones are of interest. */
  best: number;
}

const NO_REQUEST: RoutedRequest = { method: '', authority: '', path: '', headers: [] };

function buildTable(rules: readonly RouteRule[]): RouteTable {
  const entries: CompiledMatch[] = [];
  const paths = makeTrie(false);
  const pathsIgnoringCase = makeTrie(true);
  const others: number[] = [];
  for (const rule of rules) {
    for (const match of rule.matches.length === 0 ? [undefined] : rule.matches) {
      const index = entries.push(compileMatch(rule, match)) - 1;
      const path = match?.path;
      if (path === undefined || path.kind === 'regex') others.push(index);
      else addToTrie(path.ignoreCase ? pathsIgnoringCase : paths, trieKind(path.kind), path.value, index);
    }
  }
  return { rules, entries, paths, pathsIgnoringCase, others };
}

function isFor(table: RouteTable, port: number): boolean {
  return table.rules.some(rule => rule.ports.length === 0 || rule.ports.includes(port));
}

function trieKind(kind: Exclude<PathMatch['kind'], 'regex'>): TrieKind {
  switch (kind) {
    case 'exact':
      return 'exact';
    case 'prefix':
      return 'elements';
    case 'string_prefix':
      return 'characters';
  }
}

function find(search: Search, request: RoutedRequest, port: number): RouteFound | undefined {
  const { table } = search;
  search.request = request;
  search.port = port;
  search.best = table.entries.length;
  const end = pathEnd(request.path);
  walkTrie(table.paths, request.path, end, tryEntries, search);
  walkTrie(table.pathsIgnoringCase, request.path, end, tryEntries, search);
  tryEntries(table.others, search);
  search.request = NO_REQUEST;
  return table.entries[search.best]?.found;
}

/** Lists are ascending: the first that matches is the best of its list, and none behind `best` need be tried. */
function tryEntries(indices: readonly number[], search: Search): boolean {
  for (const index of indices) {
    if (index >= search.best) break;
    const entry = search.table.entries[index];
    if (entry !== undefined && matchesRequest(entry, search.request, search.port)) {
      search.best = index;
      break;
    }
  }
  return search.best === 0;
}
