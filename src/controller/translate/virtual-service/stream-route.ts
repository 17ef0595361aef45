import type { CidrMatch } from '#shared/authz/policy.ts';
import type { StreamMatch, StreamRule } from '#shared/route/stream-rule.ts';
import { cidr, cidrs } from '../authorization-policy/values.ts';
import type { Fields } from '../decode.ts';
import type { KnownService } from '../service-lookup.ts';
import type { VirtualServiceContext } from './context.ts';
import { backendOf, readDestinations, type Destination } from './destination.ts';
import { isLeftToGateways } from './for-mesh.ts';
import { readSource } from './source.ts';

/** One entry of `tls` or `tcp`. */
export interface StreamEntry {
  readonly name: string;
  readonly protocol: StreamRule['protocol'];
  /** Undefined: nothing of it is for the mesh. Empty: every connection. */
  readonly matches: readonly GuardedStreamMatch[] | undefined;
  readonly destinations: readonly Destination[];
}

interface GuardedStreamMatch {
  readonly port: number | undefined;
  readonly match: StreamMatch;
}

/** @param hosts of the VirtualService: the names of a `tls` match must be among them. */
export function readStreamEntry(
  fields: Fields,
  protocol: StreamRule['protocol'],
  name: string,
  hosts: readonly string[],
  context: VirtualServiceContext,
): StreamEntry {
  const read = fields.objects('match', match => readMatch(match, protocol, hosts, context));
  const inMesh = read.filter(match => match !== undefined);
  if (protocol === 'tls' && read.length === 0)
    fields.reject('match', 'is required', 'name the server names in match[].sniHosts');
  const destinations = readDestinations(fields, context, false);
  if (destinations.length === 0) fields.reject('route', 'is required', 'set a destination');
  const matches = read.length > 0 && inMesh.length === 0 ? undefined : inMesh;
  return { name, protocol, matches, destinations };
}

function readMatch(
  fields: Fields,
  protocol: StreamRule['protocol'],
  hosts: readonly string[],
  context: VirtualServiceContext,
): GuardedStreamMatch | undefined {
  if (isLeftToGateways(fields)) return undefined;
  const serverNames = protocol === 'tls' ? readServerNames(fields, hosts) : [];
  const destinationIps = cidrs(fields, 'destinationSubnets');
  const sourceIps = readSourceSubnet(fields, protocol);
  const source = readSource(fields, context.labelled);
  const port = fields.port('port');
  return { port, match: { serverNames, destinationIps, sourceIps, source } };
}

/**
 * Of a tls match Istio's API has dropped the field: an API server takes it off before anybody reads it, which leaves a wider
 * match. So it means the same in a directory and in a cluster: nothing that is taken.
 */
function readSourceSubnet(fields: Fields, protocol: StreamRule['protocol']): readonly CidrMatch[] {
  if (protocol === 'tls') {
    const why = 'is a field of tcp matches alone: Istio dropped it from those of tls';
    if (fields.has('sourceSubnet'))
      fields.reject('sourceSubnet', why, 'use sourceNamespace or sourceLabels, or an AuthorizationPolicy');
    return [];
  }
  const range = cidr(fields, 'sourceSubnet');
  return range === undefined ? [] : [range];
}

function readServerNames(fields: Fields, hosts: readonly string[]): readonly string[] {
  const names = fields.strings('sniHosts');
  if (names.length === 0) fields.reject('sniHosts', 'is required', 'name the server names');
  for (const name of names) {
    if (hosts.length === 0 || hosts.some(host => covers(host, name))) continue;
    fields.reject('sniHosts', `"${name}" is none of the hosts of this object`, 'add it to spec.hosts');
  }
  return names.map(name => name.toLowerCase());
}

function covers(host: string, name: string): boolean {
  const [outer, inner] = [host.toLowerCase(), name.toLowerCase()];
  return outer.startsWith('*') ? inner.endsWith(outer.slice(1)) : outer === inner;
}

/** As `rulesFor` of http. */
export function streamRulesFor(
  { destinations, matches, name, protocol }: StreamEntry,
  service: KnownService,
  callers: readonly string[],
): readonly StreamRule[] {
  if (matches === undefined) return [];
  const followsPort = destinations.some(destination => destination.portFor === 'request');
  const byPort = Map.groupBy(matches, match => match.port);
  const groups = matches.length === 0 ? [[undefined, []] as const] : [...byPort];
  return groups.flatMap(([guard, guarded]) => {
    const ports = guard !== undefined ? [guard] : followsPort ? service.ports : [undefined];
    return ports.map(port => ({
      name,
      protocol,
      ports: port === undefined ? [] : [port],
      consumer: undefined,
      callers,
      matches: guarded.map(({ match }) => match),
      backends: destinations.map(destination => backendOf(destination, destinations.length, port)),
      idleTimeoutMs: undefined,
    }));
  });
}
