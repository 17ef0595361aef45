import {
  ANY_REQUEST,
  NO_TIMEOUTS,
  PLAIN_RULE,
  type RouteBackend,
  type RouteMatch,
  type RouteRule,
} from '#shared/route/model.ts';
import type { RouteFilter } from '#shared/route/route-filter.ts';
import type { Fields } from '../decode.ts';
import type { HostContext } from '../istio-host.ts';
import type { KnownService } from '../service-lookup.ts';
import { readDestination, type Destination } from './destination.ts';
import { readActions } from './action.ts';
import { readHeaders } from './header-operations.ts';
import { readMatches, type GuardedMatch } from './match.ts';
import { readRetries } from './retries.ts';

/** The rules one `http` entry makes for a service: some depend on its ports. */
export type RulesForService = (service: KnownService) => readonly RouteRule[];

export function readHttpRoute(fields: Fields, defaultName: string, context: HostContext): RulesForService {
  const given = fields.string('name');
  const name = given === undefined ? defaultName : `${defaultName.replace(/\/\d+$/, '')}/${given}`;
  const matches = readMatches(fields);
  const destinations = fields.objects('route', route => readDestination(route, context));
  checkWeights(fields, destinations);
  const filters = [...readHeaders(fields), ...readActions(fields)];
  checkOutcome(fields, destinations, filters);
  const timeoutMs = fields.durationMs('timeout', '10s');
  const retry = fields.object('retries', readRetries);
  readUnsupported(fields);
  const common = {
    name,
    filters,
    timeouts: { ...NO_TIMEOUTS, requestMs: timeoutMs === 0 ? undefined : timeoutMs },
    retry,
  };
  return service => rulesFor(service, common, withRewritePath(matches, filters), destinations);
}

function checkOutcome(
  fields: Fields,
  destinations: readonly Destination[],
  filters: readonly RouteFilter[],
): void {
  const answers = filters.filter(
    filter => filter.kind === 'redirect' || filter.kind === 'direct_response',
  ).length;
  if (answers + (destinations.length > 0 ? 1 : 0) !== 1) {
    fields.reject(
      'route',
      'must be set, or redirect, or directResponse, and only one of them',
      'keep the one you mean',
    );
  }
}

function checkWeights(fields: Fields, destinations: readonly Destination[]): void {
  const total = destinations.reduce((sum, destination) => sum + destination.weight, 0);
  if (destinations.length > 1 && total === 0) {
    fields.reject('route', 'holds several destinations and no weight', 'give each a weight');
  }
}

/** Features whose absence changes what is observed, not where requests go. */
function readUnsupported(fields: Fields): void {
  fields.unsupported('fault', 'remove it; faults are not injected');
  for (const key of ['mirror', 'mirrors', 'mirrorPercentage', 'mirror_percent']) {
    fields.unsupported(key, 'remove it; requests are not mirrored');
  }
  fields.unsupported('corsPolicy', 'remove it; let the application answer CORS');
  fields.refused('delegate', 'put the routes of the delegate here');
}

/** Without a path match a rewrite replaces the prefix "/", as Envoy does. */
function withRewritePath(
  matches: readonly GuardedMatch[],
  filters: readonly RouteFilter[],
): readonly GuardedMatch[] {
  if (!filters.some(filter => filter.kind === 'rewrite' && filter.rewrite.path !== undefined)) return matches;
  const whole = { kind: 'string_prefix', value: '/', ignoreCase: false } as const;
  const list = matches.length > 0 ? matches : [{ port: undefined, host: undefined, match: ANY_REQUEST }];
  return list.map(guarded => ({
    ...guarded,
    match: { ...guarded.match, path: guarded.match.path ?? whole },
  }));
}

type Common = Pick<RouteRule, 'name' | 'filters' | 'timeouts' | 'retry'>;

/**
 * One rule for each guard (port and host), as the model keeps those by rule; and one for each port where a destination
 * does not say which it means, because then it means the one the request came to.
 */
function rulesFor(
  service: KnownService,
  common: Common,
  matches: readonly GuardedMatch[],
  destinations: readonly Destination[],
): readonly RouteRule[] {
  const groups =
    matches.length > 0 ? groupByGuard(matches) : [{ port: undefined, host: undefined, matches: [] }];
  const followsPort = destinations.some(destination => destination.portFor === 'request');
  return groups.flatMap(group => {
    const ports = group.port !== undefined ? [group.port] : followsPort ? service.ports : [undefined];
    return ports.map(port => ({
      ...PLAIN_RULE,
      ...common,
      ports: port === undefined ? [] : [port],
      hosts: group.host === undefined ? [] : [group.host],
      matches: group.matches,
      backends: destinations.map(destination => backendOf(destination, destinations.length, port)),
    }));
  });
}

function backendOf(
  destination: Destination,
  siblings: number,
  requestPort: number | undefined,
): RouteBackend {
  const port = destination.portFor === 'request' ? (requestPort ?? 0) : destination.portFor;
  const exists = destination.service?.ports.includes(port) === true;
  return {
    // A destination alone takes everything, whatever its weight says.
    weight: siblings === 1 ? 1 : destination.weight,
    service: exists ? destination.service?.key : undefined,
    port,
    subset: destination.subset,
    filters: destination.filters,
  };
}

interface MatchGroup {
  readonly port: number | undefined;
  readonly host: string | undefined;
  readonly matches: RouteMatch[];
}

function groupByGuard(matches: readonly GuardedMatch[]): readonly MatchGroup[] {
  const groups: MatchGroup[] = [];
  for (const { port, host, match } of matches) {
    const group = groups.find(candidate => candidate.port === port && candidate.host === host);
    if (group === undefined) groups.push({ port, host, matches: [match] });
    else group.matches.push(match);
  }
  return groups;
}
