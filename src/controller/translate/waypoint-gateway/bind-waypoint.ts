import { ATTACHMENT_DENIED } from '#shared/workload/waypoint.ts';
import type { GatewayAddress } from '#shared/workload/workload.ts';
import { type Cluster, serviceHostname } from '../cluster.ts';
import { AUTO_WAYPOINT, GATEWAY_NAME, USE_WAYPOINT, USE_WAYPOINT_NAMESPACE } from '../mesh-labels.ts';
import { AUTO_WAYPOINT_NAME, type Waypoint } from './waypoint.ts';

type Labels = Readonly<Record<string, string>>;

export interface WaypointRequest {
  readonly traffic: 'service' | 'workload';
  readonly namespace: string;
  readonly labels: Labels;
  readonly namespaceLabels: Labels;
}

/** What other objects say, as pure reads of the index. */
export interface WaypointLookup {
  waypoint(namespace: string, name: string): Waypoint | undefined;
}

/**
 * Which waypoint a service or workload is behind. Reasons are those of the condition `istio.io/WaypointBound`.
 * What asks for a waypoint that cannot serve it is bound to one all the same, so that its traffic is refused instead of
 * passing by the policies there; only a waypoint for another kind of traffic leaves it unbound, as in Istio.
 */
export type WaypointBinding =
  | { readonly address: undefined; readonly reason: 'NotRequested' }
  | { readonly address: undefined; readonly reason: 'UnsupportedTrafficType'; readonly message: string }
  | { readonly address: GatewayAddress; readonly reason: 'WaypointAccepted' }
  | {
      readonly address: GatewayAddress;
      readonly reason: 'WaypointIsNotReady' | 'AttachmentDenied';
      readonly message: string;
    };

const NOT_REQUESTED: WaypointBinding = { address: undefined, reason: 'NotRequested' };
const DEFAULT_HBONE_PORT = 15_008;

export function bindWaypoint(
  request: WaypointRequest,
  lookup: WaypointLookup,
  cluster: Cluster,
): WaypointBinding {
  const { namespaceLabels, namespace, traffic } = request;
  const wanted = requestedWaypoint(request);
  if (wanted === undefined) return NOT_REQUESTED;
  const { name, namespace: waypointNamespace, isOwn } = wanted;
  const waypoint = lookup.waypoint(waypointNamespace, name);
  const shown = `${waypointNamespace}/${name}`;
  if (waypoint === undefined) {
    // A namespace's label speaks for its services; pods go through a waypoint only if it says that it is for them.
    if (!isOwn && traffic === 'workload') return NOT_REQUESTED;
    const message = `there is no waypoint ${shown}: traffic is refused until there is one`;
    return { address: addressOf(cluster, waypointNamespace, name), reason: 'WaypointIsNotReady', message };
  }
  if (waypoint.waypointFor !== traffic && waypoint.waypointFor !== 'all') {
    if (!isOwn) return NOT_REQUESTED;
    const message = `waypoint ${shown} is for ${waypoint.waypointFor} traffic, this is a ${traffic}`;
    return { address: undefined, reason: 'UnsupportedTrafficType', message };
  }
  if (waypointNamespace !== namespace && !isAllowed(waypoint, namespaceLabels)) {
    const message = `waypoint ${shown} does not allow namespace ${namespace}: traffic is refused; set allowedRoutes`;
    return {
      address: addressOf(cluster, waypointNamespace, `${name}${ATTACHMENT_DENIED}`),
      reason: 'AttachmentDenied',
      message,
    };
  }
  const address = addressOf(cluster, waypointNamespace, name, waypoint.hboneMtlsPort);
  return { address, reason: 'WaypointAccepted' };
}

/** The waypoint that labels ask for; `isOwn` when the object itself does and not just its namespace. */
export function requestedWaypoint(
  request: Omit<WaypointRequest, 'traffic'>,
): { readonly name: string; readonly namespace: string; readonly isOwn: boolean } | undefined {
  const { labels, namespace, namespaceLabels } = request;
  // A waypoint is not behind a waypoint: its traffic would go round in a circle.
  if (labels[GATEWAY_NAME] !== undefined) return undefined;
  const isOwn = labels[USE_WAYPOINT] !== undefined;
  const source = isOwn ? labels : namespaceLabels;
  // To ask for a waypoint to be made is to ask to use it.
  const implied = namespaceLabels[AUTO_WAYPOINT] === 'true' ? AUTO_WAYPOINT_NAME : undefined;
  const name = source[USE_WAYPOINT] ?? implied;
  if (name === undefined || name === '' || name === 'none') return undefined;
  return { name, namespace: source[USE_WAYPOINT_NAMESPACE] || namespace, isOwn };
}

function isAllowed(waypoint: Waypoint, namespaceLabels: Labels): boolean {
  const { allowedNamespaces } = waypoint;
  if (allowedNamespaces.from !== 'Selector') return allowedNamespaces.from === 'All';
  return [...allowedNamespaces.labels].every(([key, value]) => namespaceLabels[key] === value);
}

function addressOf(
  cluster: Cluster,
  namespace: string,
  name: string,
  hboneMtlsPort = DEFAULT_HBONE_PORT,
): GatewayAddress {
  return { kind: 'hostname', namespace, hostname: serviceHostname(cluster, namespace, name), hboneMtlsPort };
}
