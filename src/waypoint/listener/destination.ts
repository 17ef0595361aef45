import type { ConnectRequest } from '#shared/hbone/connect-request.ts';
import type { MeshView } from '#shared/workload/mesh-view.ts';
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
 * The service a CONNECT is for. Refused: what is no service, a port it does not have, and a service that does not use
 * this waypoint; with the last, a client could borrow the waypoint's identity to reach what only others may.
 *
 * @param clientNamespace where several services have the host or address, the client means the one that is known there
 */
export function findDestination(
  view: MeshView,
  request: Pick<ConnectRequest, 'host' | 'hostKind' | 'port'>,
  waypoint: WaypointIdentity,
  clientNamespace: string,
): Destination {
  const { host, port } = request;
  const meant = serviceAt(view, request, waypoint.network, clientNamespace, clientNamespace);
  const service =
    meant !== undefined && usesWaypoint(view, meant, waypoint)
      ? meant
      : serviceAt(view, request, waypoint.network, waypoint.namespace, undefined);
  if (service === undefined) return { ok: false, reason: `${host} is no service known to this waypoint` };
  if (!usesWaypoint(view, service, waypoint)) {
    return {
      ok: false,
      reason: `service ${service.namespace}/${service.hostname} does not use this waypoint`,
    };
  }
  const servicePort = service.ports.find(candidate => candidate.servicePort === port);
  if (servicePort === undefined) {
    return { ok: false, reason: `service ${service.namespace}/${service.hostname} has no port ${port}` };
  }
  return { ok: true, service, port: servicePort };
}

function serviceAt(
  view: MeshView,
  { host, hostKind }: Pick<ConnectRequest, 'host' | 'hostKind'>,
  network: string,
  preferredNamespace: string,
  knownIn: string | undefined,
): Service | undefined {
  if (hostKind === 'ip') return view.serviceByAddress(network, host, knownIn);
  return (
    view.serviceByHostname(host, preferredNamespace, knownIn) ??
    view.serviceByWildcard(host, preferredNamespace, knownIn)
  );
}

function usesWaypoint(view: MeshView, service: Service, waypoint: WaypointIdentity): boolean {
  if (service.waypoint !== undefined && isOurs(view, service.waypoint, waypoint)) return true;
  return service.weightedWaypoints.some(weighted => isOurs(view, weighted.destination, waypoint));
}

function isOurs(view: MeshView, address: GatewayAddress, waypoint: WaypointIdentity): boolean {
  if (address.kind === 'hostname') {
    return address.namespace === waypoint.namespace && address.hostname === waypoint.hostname;
  }
  if (address.network !== waypoint.network) return false;
  if (waypoint.ips.includes(address.ip)) return true;
  const own = view.service(`${waypoint.namespace}/${waypoint.hostname}`);
  return own?.addresses.some(a => a.network === address.network && a.ip === address.ip) === true;
}
