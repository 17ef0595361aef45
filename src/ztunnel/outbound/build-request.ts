import type { SocketEndpoint } from '#shared/engine/channel.ts';
import { resolveAddress, resolveHostname, type Destination } from '#shared/workload/destination.ts';
import { chooseEndpoint } from '#shared/workload/endpoint-choice.ts';
import { isIpv6, leadsToSelf } from '#shared/workload/ip.ts';
import type { MeshView } from '#shared/workload/mesh-view.ts';
import { chooseWaypoint, gatewayTarget, isGateway, weighWaypoints } from '#shared/workload/waypoint.ts';
import { serviceName, type GatewayAddress, type Service, type Workload } from '#shared/workload/workload.ts';
import { PROXY_PORTS, HBONE_PORT } from '../ports.ts';
import { expectedIdentities } from './expected-identities.ts';

/** What a connection of a local workload asks for. */
export interface OutboundQuery {
  readonly source: Workload;
  /** Canonical IP text, or (SOCKS5 only) a host name. */
  readonly host: string;
  readonly port: number;
  /** Endpoints and waypoint pods that refused this connection already. */
  readonly excluded: ReadonlySet<string>;
  readonly settings: OutboundSettings;
}

export interface OutboundSettings {
  /** `refuse`: a service that asks for a waypoint is not reachable without one. `bypass`: it is, and its L7 policy is not enforced. */
  readonly waypointUnavailable: 'refuse' | 'bypass';
  /** `registry_only`: who is not known to the client's namespace is not reached. */
  readonly outboundTrafficPolicy: 'allow_any' | 'registry_only';
  /** For names without their search domain. */
  readonly clusterDomain: string;
}

/** One way for one connection. `refuse` carries only `reason` and the destination as far as it was understood. */
export interface OutboundRequest {
  readonly kind: 'waypoint' | 'hbone' | 'plaintext' | 'refuse';
  /** What is dialled: a waypoint pod, the destination's HBONE port, or the application itself. */
  readonly nextHop: SocketEndpoint;
  /** SPIFFE ids of which the peer must prove one; empty for plaintext. */
  readonly expectedIdentities: readonly string[];
  /** Whom the pool must find there; empty outside the mesh. */
  readonly peerUid: string;
  /** Host and port of the CONNECT's `:authority`. */
  readonly authority: { readonly host: string; readonly port: number };
  /** Final destination, for logs and metrics; behind a service waypoint only the service is known. */
  readonly workload: Workload | undefined;
  readonly service: Service | undefined;
  readonly servicePort: number;
  /** True when another endpoint may be tried after this one could not be dialled. */
  readonly retriable: boolean;
  /** Why it was refused, or what was done that an operator should see; empty otherwise. */
  readonly reason: string;
}

const NOWHERE: SocketEndpoint = Object.freeze({ ip: '', port: 0 });
const NO_IDENTITIES: readonly string[] = Object.freeze([]);

/**
 * Where a connection goes. Pure: the same mesh, query and random numbers give the same answer.
 * `random` is drawn from at most three times, each in [0, 1).
 */
export function buildRequest(view: MeshView, query: OutboundQuery, random: () => number): OutboundRequest {
  const { source, host } = query;
  if (source.addresses.includes(host)) return toItself(query);
  const destination = lookUp(view, query);
  switch (destination.kind) {
    case 'service':
      return toService(view, query, destination.service, random);
    case 'workload':
      return toWorkload(view, query, destination.workload, random);
    case 'unknown':
      return toUnknown(query);
  }
}

function lookUp(view: MeshView, query: OutboundQuery): Destination {
  const { source, host, settings } = query;
  return isIpText(host)
    ? resolveAddress(view, source, host)
    : resolveHostname(view, source, host, settings.clusterDomain);
}

/** Nobody that the client's namespace knows. */
function toUnknown(query: OutboundQuery): OutboundRequest {
  const { host, port, settings, source } = query;
  if (settings.outboundTrafficPolicy === 'registry_only')
    return refuse(
      query,
      `${host} is no Service, ServiceEntry or pod that namespace ${source.namespace} knows, and OUTBOUND_TRAFFIC_POLICY is REGISTRY_ONLY: write a ServiceEntry for it`,
    );
  return isIpText(host)
    ? request('plaintext', query, { nextHop: { ip: host, port } })
    : refuse(query, `${host} is no service of the mesh, and names outside it are not resolved here`);
}

function isWaypointOf(view: MeshView, { waypoint, weightedWaypoints }: Service, workload: Workload): boolean {
  if (waypoint !== undefined && isGateway(view, waypoint, workload)) return true;
  return weightedWaypoints.some(({ destination }) => isGateway(view, destination, workload));
}

/** A pod that calls itself never leaves its network namespace, so nothing stands between it and itself. */
function toItself(query: OutboundQuery): OutboundRequest {
  const { source, host, port } = query;
  // Dialling the port this very connection was accepted on would go round for ever.
  if (PROXY_PORTS.has(port))
    return refuse(query, `port ${port} is the mesh's own and takes no direct connection`);
  return request('plaintext', query, { nextHop: { ip: host, port }, workload: source });
}

function toService(
  view: MeshView,
  query: OutboundQuery,
  service: Service,
  random: () => number,
): OutboundRequest {
  const gateway = weighWaypoints(service, random);
  let reason = '';
  if (gateway !== undefined && !isWaypointOf(view, service, query.source)) {
    const viaWaypoint = throughWaypoint(view, query, gateway, { service }, random);
    if (viaWaypoint.kind !== 'refuse' || query.settings.waypointUnavailable === 'refuse') return viaWaypoint;
    reason = `bypassed: ${viaWaypoint.reason}`;
  }
  if (service.loadBalancing?.mode === 'passthrough') return passThrough(query, service, reason);
  const choice = chooseEndpoint({
    endpoints: view.endpoints(serviceName(service)),
    service,
    servicePort: query.port,
    source: query.source,
    excluded: query.excluded,
    random: random(),
    preferIpv6: isIpv6(query.host),
  });
  if (!choice.ok) return refuse(query, choice.reason, { service });
  return toEndpoint(
    query,
    choice.workload,
    { ip: choice.ip, port: choice.port },
    { service, reason, retriable: true },
  );
}

function toWorkload(
  view: MeshView,
  query: OutboundQuery,
  workload: Workload,
  random: () => number,
): OutboundRequest {
  let reason = '';
  const gateway = workload.waypoint;
  if (
    gateway !== undefined &&
    !isGateway(view, gateway, query.source) &&
    !isGateway(view, gateway, workload)
  ) {
    const viaWaypoint = throughWaypoint(view, query, gateway, { workload }, random);
    if (viaWaypoint.kind !== 'refuse' || query.settings.waypointUnavailable === 'refuse') return viaWaypoint;
    reason = `bypassed: ${viaWaypoint.reason}`;
  }
  return toEndpoint(query, workload, { ip: query.host, port: query.port }, { reason });
}

function throughWaypoint(
  view: MeshView,
  query: OutboundQuery,
  gateway: GatewayAddress,
  destination: Pick<Partial<OutboundRequest>, 'service' | 'workload'>,
  random: () => number,
): OutboundRequest {
  const waypoint = chooseWaypoint(view, gateway, query.source, query.excluded, random());
  if (!waypoint.ok) return refuse(query, waypoint.reason, destination);
  const { service } = destination;
  return request('waypoint', query, {
    ...destination,
    nextHop: { ip: waypoint.ip, port: waypoint.port },
    expectedIdentities: waypoint.identities,
    peerUid: waypoint.workload.uid,
    authority: {
      host: isIpText(query.host) ? query.host : nameFor(service, query.host),
      port: query.port,
    },
    retriable: gatewayTarget(view, gateway)?.kind === 'service',
  });
}

/** What a waypoint is told: the service's own name, and of a wildcard the name that was asked for. */
function nameFor(service: Service | undefined, asked: string): string {
  const isNamed = service !== undefined && !service.hostname.startsWith('*');
  return isNamed ? service.hostname : asked.toLowerCase().replace(/\.$/, '');
}

function toEndpoint(
  query: OutboundQuery,
  workload: Workload,
  address: SocketEndpoint,
  fields: Partial<OutboundRequest>,
): OutboundRequest {
  const { service } = fields;
  if (leadsToSelf(address.ip, query.source.addresses))
    return refuse(query, `${address.ip} of workload ${workload.uid} would lead the client to itself`, fields);
  if (workload.uid === query.source.uid)
    return request('plaintext', query, { ...fields, nextHop: address, workload });
  // A pod whose capture is off for now, or one outside the mesh.
  if (workload.tunnelProtocol !== 'hbone') {
    return request('plaintext', query, { ...fields, nextHop: address, workload });
  }
  return request('hbone', query, {
    ...fields,
    workload,
    nextHop: { ip: address.ip, port: HBONE_PORT },
    expectedIdentities: expectedIdentities(workload, service),
    peerUid: workload.uid,
    authority: { host: address.ip, port: address.port },
  });
}

/** The service wants connections to go where the application dialled, without choice of an endpoint. */
function passThrough(query: OutboundQuery, service: Service, reason: string): OutboundRequest {
  if (!isIpText(query.host))
    return refuse(query, `service ${serviceName(service)} is passed through by address only`, { service });
  return request('plaintext', query, { service, reason, nextHop: { ip: query.host, port: query.port } });
}

function refuse(
  query: OutboundQuery,
  reason: string,
  fields: Partial<OutboundRequest> = {},
): OutboundRequest {
  return request('refuse', query, { ...fields, reason });
}

/** Every request has every field, in one order: one shape for all that read it. */
function request(
  kind: OutboundRequest['kind'],
  query: OutboundQuery,
  fields: Partial<OutboundRequest>,
): OutboundRequest {
  return {
    kind,
    nextHop: fields.nextHop ?? NOWHERE,
    expectedIdentities: fields.expectedIdentities ?? NO_IDENTITIES,
    peerUid: fields.peerUid ?? '',
    authority: fields.authority ?? query,
    workload: fields.workload,
    service: fields.service,
    servicePort: query.port,
    retriable: fields.retriable ?? false,
    reason: fields.reason ?? '',
  };
}

/** For a host that is canonical IP text or a host name: a name's last label is never all digits, and has no colon. */
function isIpText(host: string): boolean {
  return host.includes(':') || /^\d+\.\d+\.\d+\.\d+$/.test(host);
}
