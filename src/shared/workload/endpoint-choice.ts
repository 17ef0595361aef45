import { isIpv6 } from './ip.ts';
import { localityRank, minimumRank } from './locality.ts';
import type { Endpoint } from './mesh-view.ts';
import type { LoadBalancing, LocalityScope, Service, ServicePort, Workload } from './workload.ts';

export interface EndpointQuery {
  readonly endpoints: readonly Endpoint[];
  readonly service: Service;
  readonly servicePort: number;
  /** Where the connection comes from; undefined when that is unknown. */
  readonly source: Workload | undefined;
  /** Uids tried already. */
  readonly excluded: ReadonlySet<string>;
  /** In [0, 1). */
  readonly random: number;
  /** The family of the address that was asked for; an endpoint may have addresses of both. */
  readonly preferIpv6: boolean;
}

export type EndpointChoice =
  | { readonly ok: true; readonly workload: Workload; readonly ip: string; readonly port: number }
  | { readonly ok: false; readonly reason: string };

const NO_PREFERENCE: readonly LocalityScope[] = [];

/**
 * L4 load balancing: of the usable endpoints those of the best locality rank, then one by chance in proportion to
 * capacity. Two passes over the endpoints and no allocation but the answer.
 */
export function chooseEndpoint(query: EndpointQuery): EndpointChoice {
  const { endpoints, service, source } = query;
  const loadBalancing = service.loadBalancing;
  const preference = preferenceOf(loadBalancing);
  let bestRank = minimumRank(loadBalancing);
  let total = 0;
  for (const endpoint of endpoints) {
    if (!isUsable(endpoint, query)) continue;
    const rank = localityRank(preference, source, endpoint.workload);
    if (rank < bestRank) continue;
    if (rank > bestRank) total = 0;
    bestRank = rank;
    total += endpoint.workload.capacity;
  }
  if (total === 0) return { ok: false, reason: whyNone(query) };
  const chosen = pick(query, preference, bestRank, query.random * total);
  const ip = chosen && addressOf(chosen.workload, query.preferIpv6);
  const port = chosen && targetPort(chosen.ports, service, query.servicePort);
  if (chosen === undefined || ip === undefined || port === undefined)
    return { ok: false, reason: whyNone(query) };
  return { ok: true, workload: chosen.workload, ip, port };
}

function pick(
  query: EndpointQuery,
  preference: readonly LocalityScope[],
  rank: number,
  capacityBefore: number,
): Endpoint | undefined {
  let left = capacityBefore;
  let chosen: Endpoint | undefined;
  for (const endpoint of query.endpoints) {
    const { workload } = endpoint;
    if (!isUsable(endpoint, query) || localityRank(preference, query.source, workload) !== rank) continue;
    // The last one stands should rounding leave something over.
    chosen = endpoint;
    left -= workload.capacity;
    if (left < 0) break;
  }
  return chosen;
}

/** An address of the wanted family, else whatever there is. */
export function addressOf(workload: Workload, preferIpv6: boolean): string | undefined {
  return workload.addresses.find(ip => isIpv6(ip) === preferIpv6) ?? workload.addresses[0];
}

/** Port of the endpoint behind a port of the service: as the endpoint says, else as the service says for all. */
export function targetPort(
  ports: readonly ServicePort[],
  service: Service,
  servicePort: number,
): number | undefined {
  const port = findPort(ports, servicePort) ?? findPort(service.ports, servicePort);
  if (port === undefined) return undefined;
  return port.targetPort === 0 ? port.servicePort : port.targetPort;
}

function findPort(ports: readonly ServicePort[], servicePort: number): ServicePort | undefined {
  for (const port of ports) if (port.servicePort === servicePort) return port;
  return undefined;
}

function preferenceOf(loadBalancing: LoadBalancing | undefined): readonly LocalityScope[] {
  const mode = loadBalancing?.mode;
  return mode === 'strict' || mode === 'failover'
    ? (loadBalancing?.routingPreference ?? NO_PREFERENCE)
    : NO_PREFERENCE;
}

function isUsable(endpoint: Endpoint, query: EndpointQuery): boolean {
  const { workload } = endpoint;
  if (workload.capacity <= 0 || workload.addresses.length === 0) return false;
  if (workload.status !== 'healthy' && query.service.loadBalancing?.healthPolicy !== 'allow_all')
    return false;
  // Another network is reached through its gateway (double HBONE), which is not built.
  if (query.source !== undefined && query.source.network !== workload.network) return false;
  if (query.excluded.size > 0 && query.excluded.has(workload.uid)) return false;
  return targetPort(endpoint.ports, query.service, query.servicePort) !== undefined;
}

/** Off the hot path: what the operator needs to know about why no endpoint could be used. */
function whyNone(query: EndpointQuery): string {
  const { endpoints, service, servicePort } = query;
  const name = `service ${service.namespace}/${service.hostname}`;
  if (endpoints.length === 0) return `${name} has no endpoints`;
  if (endpoints.every(e => targetPort(e.ports, service, servicePort) === undefined)) {
    return `${name} has no port ${servicePort}`;
  }
  if (query.excluded.size > 0) return `${name}: every endpoint was tried (${query.excluded.size})`;
  if (query.source !== undefined && endpoints.every(e => e.workload.network !== query.source?.network)) {
    return `${name} has endpoints only in other networks, which are not reachable from here`;
  }
  if (service.loadBalancing?.mode === 'strict') {
    return `${name} has no healthy endpoint in this locality, and its traffic distribution is strict`;
  }
  return `${name} has no healthy endpoint (of ${endpoints.length})`;
}
