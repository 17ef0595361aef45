import type { ConnectRequest } from '#shared/hbone/connect-request.ts';
import { findAddress, findFullName, inNamespace, type LookupScope } from '#shared/workload/destination.ts';
import type { MeshView } from '#shared/workload/mesh-view.ts';
import { findPort, workloadServiceName } from '#shared/workload/workload-service.ts';
import type { GatewayAddress, Service, ServicePort } from '#shared/workload/workload.ts';

/** Who this waypoint is, as far as services refer to it. */
export interface WaypointIdentity {
  readonly namespace: string;
  /** Host name of its own Service: `<name>.<namespace>.svc.<cluster domain>`. */
  readonly hostname: string;
  readonly network: string;
  /** Addresses of this instance. */
  readonly ips: readonly string[];
}

export type Destination =
  | { readonly ok: true; readonly service: Service; readonly port: ServicePort }
  | { readonly ok: false; readonly reason: string };

/**
 * The service, or the workload, that a CONNECT is for. Refused: what is neither, a port it does not have, and what does not
 * use this waypoint; with the last, a client could borrow the waypoint's identity to reach what only others may.
 *
 * @param clientNamespace where several services have the host or address, the client means the one that is known there
 */
export function findDestination(
  view: MeshView,
  request: Pick<ConnectRequest, 'host' | 'hostKind' | 'port'>,
  waypoint: WaypointIdentity,
  clientNamespace: string,
): Destination {
  const { port } = request;
  const meant = serviceAt(view, request, waypoint.network, inNamespace(clientNamespace));
  const service =
    meant !== undefined && usesWaypoint(view, meant, waypoint)
      ? meant
      : serviceAt(view, request, waypoint.network, { namespace: waypoint.namespace, knownIn: undefined });
  if (service === undefined) return { ok: false, reason: unknown(view, request, waypoint) };
  if (!usesWaypoint(view, service, waypoint)) {
    return {
      ok: false,
      reason: `service ${service.namespace}/${service.hostname} does not use this waypoint`,
    };
  }
  const servicePort = findPort(service.ports, port);
  if (servicePort === undefined) {
    return { ok: false, reason: `service ${service.namespace}/${service.hostname} has no port ${port}` };
  }
  return { ok: true, service, port: servicePort };
}

/** As the client's ztunnel finds it. */
function serviceAt(
  view: MeshView,
  { host, hostKind }: Pick<ConnectRequest, 'host' | 'hostKind'>,
  network: string,
  scope: LookupScope,
): Service | undefined {
  if (hostKind !== 'ip') return findFullName(view, host, scope);
  const found = findAddress(view, network, host, scope);
  switch (found.kind) {
    case 'service':
      return found.service;
    case 'workload':
      return view.service(workloadServiceName(found.workload));
    case 'unknown':
      return undefined;
  }
}

function unknown(
  view: MeshView,
  { host, hostKind }: Pick<ConnectRequest, 'host' | 'hostKind'>,
  { network }: WaypointIdentity,
): string {
  const workload = hostKind === 'ip' ? view.workloadByAddress(network, host) : undefined;
  return workload === undefined
    ? `${host} is no service known to this waypoint`
    : `workload ${workload.namespace}/${workload.name} does not use this waypoint for its own addresses`;
}

function usesWaypoint(view: MeshView, service: Service, waypoint: WaypointIdentity): boolean {
  if (service.waypoint !== undefined && isOurs(view, service.waypoint, waypoint)) return true;
  return service.weightedWaypoints.some(weighted => isOurs(view, weighted.destination, waypoint));
}

export function isOurs(view: MeshView, address: GatewayAddress, waypoint: WaypointIdentity): boolean {
  if (address.kind === 'hostname') {
    return address.namespace === waypoint.namespace && address.hostname === waypoint.hostname;
  }
  if (address.network !== waypoint.network) return false;
  if (waypoint.ips.includes(address.ip)) return true;
  const own = view.service(`${waypoint.namespace}/${waypoint.hostname}`);
  return own?.addresses.some(a => a.network === address.network && a.ip === address.ip) === true;
}
