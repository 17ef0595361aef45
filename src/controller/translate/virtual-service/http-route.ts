import {
  ANY_REQUEST,
  NO_TIMEOUTS,
  PLAIN_RULE,
  type RouteMatch,
  type RouteRule,
} from '#shared/route/model.ts';
import type { RouteFilter } from '#shared/route/route-filter.ts';
import type { KnownService } from '../service-lookup.ts';
import { backendOf, resolveTarget } from './destination.ts';
import type { HttpEntry } from './http-entry.ts';
import type { GuardedMatch } from './match.ts';

/**
 * The rules an entry makes for a service: one for each guard (port and host), as the model keeps those by rule; and one for
 * each port where a destination does not say which it means, because then it means the one the request came to.
 *
 * @param callers namespaces it is exported to; empty is all.
 */
export function rulesFor(
  entry: HttpEntry,
  service: KnownService,
  callers: readonly string[],
): readonly RouteRule[] {
  if (entry.matches === undefined) return [];
  const { destinations, mirrors, timeoutMs } = entry;
  const matches = withPrefixPath(entry);
  const groups =
    matches.length > 0 ? groupByGuard(matches) : [{ port: undefined, host: undefined, matches: [] }];
  const targets = [...destinations, ...(mirrors ?? []).map(mirror => mirror.target)];
  const followsPort = targets.some(target => target.portFor === 'request');
  return groups.flatMap(group => {
    const ports = group.port !== undefined ? [group.port] : followsPort ? service.ports : [undefined];
    return ports.map(port => ({
      ...PLAIN_RULE,
      name: entry.name,
      ports: port === undefined ? [] : [port],
      callers,
      hosts: group.host === undefined ? [] : [group.host],
      matches: group.matches,
      filters: filtersOf(entry, port),
      backends: destinations.map(destination => backendOf(destination, destinations.length, port)),
      timeouts: { ...NO_TIMEOUTS, requestMs: timeoutMs === 0 ? undefined : timeoutMs },
      retry: entry.retry,
    }));
  });
}

function filtersOf(entry: HttpEntry, port: number | undefined): readonly RouteFilter[] {
  const mirrors = (entry.mirrors ?? []).map(
    ({ percent, target }): RouteFilter => ({
      kind: 'mirror',
      mirror: { ...resolveTarget(target, port), percent },
    }),
  );
  const { cors, directResponse, fault, headers, redirect, rewrite } = entry;
  const filters = [fault, cors, ...(headers ?? []), rewrite, redirect, directResponse, ...mirrors];
  return filters.filter(filter => filter !== undefined);
}

/** Without a path match the change of a prefix replaces the prefix "/", as Envoy does. */
function withPrefixPath({ matches = [], redirect, rewrite }: HttpEntry): readonly GuardedMatch[] {
  const changed = rewrite?.kind === 'rewrite' ? rewrite.rewrite.path : undefined;
  const redirected = redirect?.kind === 'redirect' ? redirect.redirect.path : undefined;
  if ((changed ?? redirected)?.kind !== 'prefix') return matches;
  const whole = { kind: 'string_prefix', value: '/', ignoreCase: false } as const;
  const list = matches.length > 0 ? matches : [{ port: undefined, host: undefined, match: ANY_REQUEST }];
  return list.map(guarded => ({
    ...guarded,
    match: { ...guarded.match, path: guarded.match.path ?? whole },
  }));
}

interface MatchGroup {
  readonly port: number | undefined;
  readonly host: string | undefined;
  readonly matches: RouteMatch[];
}

/** All lead to the same place, so their order does not matter. */
function groupByGuard(matches: readonly GuardedMatch[]): readonly MatchGroup[] {
  const groups: MatchGroup[] = [];
  for (const { port, host, match } of matches) {
    const group = groups.find(candidate => candidate.port === port && candidate.host === host);
    if (group === undefined) groups.push({ port, host, matches: [match] });
    else group.matches.push(match);
  }
  return groups;
}
