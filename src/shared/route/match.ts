import { compileMatch, matchesRequest, NO_CALLER } from './compiled-match.ts';
import type { CompiledMatch, RouteCaller, RoutedRequest, RouteFound } from './compiled-match.ts';
import { isRoot, namesConnect } from './connect-match.ts';
import { addEntry, type EntryList, makeEntryList, visitEntries } from './entry-list.ts';
import type { PathMatch, RouteMatch, RouteRule, ServiceRoutes } from './model.ts';
import { pathEnd } from './path.ts';
import { listInTrie, makeTrie, walkTrie, type PathTrie, type TrieKind } from './path-trie.ts';

/** Chooses the rule for a request, at a cost that does not grow with the number of rules with paths of their own. */
export interface RouteMatcher {
  /**
   * The first rule, in the order given, that matches. `port` is the service port the request came to. Undefined when none
   * does: with `hasRulesFor`, that is a 404.
   *
   * The path is compared as it stands: the waypoint normalizes it first (`normalizeTarget`). Allocates nothing for
   * rules without query parameters, host names, conditions on paths or repeated headers.
   */
  find(request: RoutedRequest, port: number, caller?: RouteCaller): RouteFound | undefined;
  /**
   * Whether any rule is for this service port and caller. Where none is, nothing is attached for them: a request goes to
   * the service itself, although other ports or callers are routed.
   */
  hasRulesFor(port: number, caller?: RouteCaller): boolean;
  /** Whether any of them names CONNECT: where none does, it is not served. */
  servesConnect(port: number, caller?: RouteCaller): boolean;
}

/** Compile once per version of the routes. Immutable but for scratch space: for use in one thread. */
export function compileRoutes(routes: Pick<ServiceRoutes, 'rules'>): RouteMatcher {
  const forEveryone = buildTable(routes.rules.filter(rule => rule.consumer === undefined));
  const consumers = new Map<string, RouteTable>();
  for (const { consumer } of routes.rules) {
    if (consumer === undefined || consumers.has(consumer)) continue;
    consumers.set(consumer, buildTable(routes.rules.filter(rule => rule.consumer === consumer)));
  }
  const tableFor = (port: number, caller: RouteCaller): RouteTable => {
    if (consumers.size === 0 || caller.namespace === undefined) return forEveryone;
    const own = consumers.get(caller.namespace);
    return own !== undefined && isFor(own, port, caller) ? own : forEveryone;
  };
  // One scratch for all calls: `find` is synchronous and does not call itself.
  const search: Search = {
    table: forEveryone,
    request: NO_REQUEST,
    port: 0,
    caller: NO_CALLER,
    best: 0,
  };
  return {
    find: (request, port, caller = NO_CALLER) => {
      search.table = tableFor(port, caller);
      search.caller = caller;
      return find(search, request, port);
    },
    hasRulesFor: (port, caller = NO_CALLER) => isFor(tableFor(port, caller), port, caller),
    servesConnect: (port, caller = NO_CALLER) =>
      tableFor(port, caller).rules.some(
        rule => isRuleFor(rule, port, caller) && rule.matches.some(namesConnect),
      ),
  };
}

interface RouteTable {
  readonly rules: readonly RouteRule[];
  /** In order of precedence; the index is the precedence. */
  readonly entries: readonly CompiledMatch[];
  readonly paths: PathTrie;
  readonly pathsIgnoringCase: PathTrie;
  /** Entries without a path or with a pattern. */
  readonly others: EntryList;
}

interface Search {
  table: RouteTable;
  request: RoutedRequest;
  port: number;
  caller: RouteCaller;
  /** Lowest index found so far; only lower ones are of interest. */
  best: number;
}

const NO_REQUEST: RoutedRequest = { method: '', scheme: '', authority: '', path: '', headers: [] };

function buildTable(rules: readonly RouteRule[]): RouteTable {
  const entries: CompiledMatch[] = [];
  const paths = makeTrie(false);
  const pathsIgnoringCase = makeTrie(true);
  const others = makeEntryList();
  for (const rule of rules) {
    for (const match of rule.matches.length === 0 ? [undefined] : rule.matches) {
      const compiled = compileMatch(rule, match);
      const index = entries.push(compiled) - 1;
      const path = pathToAsk(match);
      const list =
        path === undefined || path.kind === 'regex'
          ? others
          : listInTrie(path.ignoreCase ? pathsIgnoringCase : paths, trieKind(path.kind), path.value);
      addEntry(list, index, compiled);
    }
  }
  return { rules, entries, paths, pathsIgnoringCase, others };
}

/** A CONNECT has no path to begin with the root, which those who write matches mean nothing by. */
function pathToAsk(match: RouteMatch | undefined): PathMatch | undefined {
  const path = match?.path;
  return path !== undefined && match?.method === 'CONNECT' && isRoot(path) ? undefined : path;
}

function isFor(table: RouteTable, port: number, caller: RouteCaller): boolean {
  for (const rule of table.rules) if (isRuleFor(rule, port, caller)) return true;
  return false;
}

function isRuleFor({ callers, ports }: RouteRule, port: number, caller: RouteCaller): boolean {
  if (ports.length > 0 && !ports.includes(port)) return false;
  if (callers.length === 0) return true;
  return caller.namespace !== undefined && callers.includes(caller.namespace);
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
  walkTrie(table.paths, request.path, end, tryList, search);
  walkTrie(table.pathsIgnoringCase, request.path, end, tryList, search);
  tryList(table.others, search);
  search.request = NO_REQUEST;
  return table.entries[search.best]?.found;
}

function tryList(list: EntryList, search: Search): boolean {
  return visitEntries(list, search.request, tryEntries, search);
}

/** Lists are ascending: the first that matches is the best of its list, and none behind `best` need be tried. */
function tryEntries(indices: readonly number[], search: Search): boolean {
  for (const index of indices) {
    if (index >= search.best) break;
    const entry = search.table.entries[index];
    if (entry !== undefined && matchesRequest(entry, search.request, search.port, search.caller)) {
      search.best = index;
      break;
    }
  }
  return search.best === 0;
}
