import { chooseEndpoint } from './endpoint-choice.ts';
import { isIpv6 } from './ip.ts';
import type { MeshView } from './mesh-view.ts';
import {
  serviceName,
  workloadIdentity,
  type GatewayAddress,
  type Service,
  type Workload,
} from './workload.ts';

/** One pod of a waypoint (or of another gateway), ready to be dialled. */
export type WaypointChoice =
  | {
      readonly ok: true;
      readonly workload: Workload;
      readonly service: Service | undefined;
      readonly ip: string;
      readonly port: number;
      readonly identities: readonly string[];
    }
  | { readonly ok: false; readonly reason: string };

/** The gateway itself: a service with pods behind it, or one pod. */
export type GatewayTarget =
  | { readonly kind: 'service'; readonly service: Service }
  | { readonly kind: 'workload'; readonly workload: Workload }
  | undefined;

/** What a gateway address points at; undefined while that is not in the mesh's state. */
export function gatewayTarget(view: MeshView, gateway: GatewayAddress): GatewayTarget {
  if (gateway.kind === 'hostname') {
    const service = view.service(`${gateway.namespace}/${gateway.hostname}`);
    return service === undefined ? undefined : { kind: 'service', service };
  }
  const service = view.serviceByAddress(gateway.network, gateway.ip);
  if (service !== undefined) return { kind: 'service', service };
  const workload = view.workloadByAddress(gateway.network, gateway.ip);
  return workload === undefined ? undefined : { kind: 'workload', workload };
}

/** Whether `workload` is (one pod of) the gateway: what it sends must not be sent to itself again. */
export function isGateway(view: MeshView, gateway: GatewayAddress, workload: Workload): boolean {
  const target = gatewayTarget(view, gateway);
  if (target === undefined) return false;
  if (target.kind === 'workload') return target.workload.uid === workload.uid;
  return workload.services.has(serviceName(target.service));
}

/** Picks a ready pod of a waypoint for a connection from `source`. */
export function chooseWaypoint(
  view: MeshView,
  gateway: GatewayAddress,
  source: Workload,
  excluded: ReadonlySet<string>,
  random: number,
): WaypointChoice {
  const target = gatewayTarget(view, gateway);
  if (target === undefined) return { ok: false, reason: unknownWaypoint(gateway) };
  if (target.kind === 'workload') return waypointPod(target.workload, gateway, excluded);
  const { service } = target;
  const choice = chooseEndpoint({
    endpoints: view.endpoints(serviceName(service)),
    service: withHbonePort(service, gateway.hboneMtlsPort),
    servicePort: gateway.hboneMtlsPort,
    source,
    excluded,
    random,
    preferIpv6: gateway.kind === 'address' && isIpv6(gateway.ip),
  });
  if (!choice.ok)
    return { ok: false, reason: `waypoint ${gatewayName(gateway)} is not ready: ${choice.reason}` };
  const { workload, ip, port } = choice;
  const identities = [workloadIdentity(workload), ...service.subjectAltNames];
  return { ok: true, workload, service, ip, port, identities };
}

/**
 * Behind the name of a waypoint that does not allow the namespace which asks for it: there is no such service, so that
 * traffic is refused by whatever proxy reads it.
 */
export const ATTACHMENT_DENIED = '.attachment-denied';

/** How messages of the condition `istio.io/WaypointBound` begin that are of the second waypoint. */
export const OF_CANARY = 'canary: ';

function unknownWaypoint(gateway: GatewayAddress): string {
  const name = gatewayName(gateway);
  return name.includes(`${ATTACHMENT_DENIED}.`)
    ? `waypoint ${name.replace(ATTACHMENT_DENIED, '')} does not allow this namespace: see allowedRoutes of its Gateway`
    : `waypoint ${name} is not known`;
}

/** A waypoint by its share of all weights; the service's own where nobody has one. `random` in [0, 1). */
export function weighWaypoints(
  { waypoint, weightedWaypoints }: Pick<Service, 'waypoint' | 'weightedWaypoints'>,
  random: () => number,
): GatewayAddress | undefined {
  if (weightedWaypoints.length === 0) return waypoint;
  const total = weightedWaypoints.reduce((sum, { weight }) => sum + weight, 0);
  let left = random() * total;
  for (const { destination, weight } of weightedWaypoints) {
    left -= weight;
    if (left < 0) return destination;
  }
  return waypoint;
}

function gatewayName(gateway: GatewayAddress): string {
  return gateway.kind === 'hostname' ? `${gateway.namespace}/${gateway.hostname}` : gateway.ip;
}

function waypointPod(
  workload: Workload,
  gateway: GatewayAddress,
  excluded: ReadonlySet<string>,
): WaypointChoice {
  const ip = gateway.kind === 'address' ? gateway.ip : workload.addresses[0];
  if (workload.status !== 'healthy' || ip === undefined || excluded.has(workload.uid)) {
    return { ok: false, reason: `waypoint ${gatewayName(gateway)} is not ready` };
  }
  return {
    ok: true,
    workload,
    service: undefined,
    ip,
    port: gateway.hboneMtlsPort,
    identities: [workloadIdentity(workload)],
  };
}

const withPort = new WeakMap<Service, Service>();

/** A waypoint's Service need not list its HBONE port: its pods listen there all the same. */
function withHbonePort(service: Service, hbonePort: number): Service {
  if (service.ports.some(p => p.servicePort === hbonePort)) return service;
  const known = withPort.get(service);
  if (known?.ports.at(-1)?.servicePort === hbonePort) return known;
  const port = { servicePort: hbonePort, targetPort: 0, appProtocol: 'unknown' } as const;
  const extended: Service = { ...service, ports: [...service.ports, port] };
  withPort.set(service, extended);
  return extended;
}
