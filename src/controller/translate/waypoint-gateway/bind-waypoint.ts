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
  const wanted = requestedWaypoint(request);
  if (wanted === undefined) return NOT_REQUESTED;
  const { name, namespace, isOwn } = wanted;
  const attachment = attachTo(wanted, request, lookup, cluster);
  switch (attachment.reason) {
    case 'WaypointAccepted':
      return attachment;
    case 'WaypointIsNotReady': {
      // A namespace's label speaks for its services; pods go through a waypoint only if it says that it is for them.
      if (!isOwn && request.traffic === 'workload') return NOT_REQUESTED;
      const message = `${attachment.why}: traffic is refused until there is one`;
      return { address: addressOf(cluster, namespace, name), reason: attachment.reason, message };
    }
    case 'UnsupportedTrafficType':
      if (!isOwn) return NOT_REQUESTED;
      return { address: undefined, reason: attachment.reason, message: attachment.why };
    case 'AttachmentDenied':
      return {
        address: addressOf(cluster, namespace, `${name}${ATTACHMENT_DENIED}`),
        reason: attachment.reason,
        message: `${attachment.why}: traffic is refused; set allowedRoutes`,
      };
  }
}

export type Attachment =
  | { readonly reason: 'WaypointAccepted'; readonly address: GatewayAddress }
  | {
      readonly reason: 'WaypointIsNotReady' | 'UnsupportedTrafficType' | 'AttachmentDenied';
      readonly why: string;
    };

/** Whether a waypoint is there, for this traffic, and for this namespace. */
export function attachTo(
  wanted: { readonly name: string; readonly namespace: string },
  { namespace, namespaceLabels, traffic }: Omit<WaypointRequest, 'labels'>,
  lookup: WaypointLookup,
  cluster: Cluster,
): Attachment {
  const waypoint = lookup.waypoint(wanted.namespace, wanted.name);
  const shown = `${wanted.namespace}/${wanted.name}`;
  if (waypoint === undefined) return { reason: 'WaypointIsNotReady', why: `there is no waypoint ${shown}` };
  const { hboneMtlsPort, waypointFor } = waypoint;
  if (waypointFor !== traffic && waypointFor !== 'all') {
    const why = `waypoint ${shown} is for ${waypointFor} traffic, this is a ${traffic}`;
    return { reason: 'UnsupportedTrafficType', why };
  }
  if (wanted.namespace !== namespace && !isAllowed(waypoint, namespaceLabels))
    return { reason: 'AttachmentDenied', why: `waypoint ${shown} does not allow namespace ${namespace}` };
  const address = addressOf(cluster, wanted.namespace, wanted.name, hboneMtlsPort);
  return { reason: 'WaypointAccepted', address };
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
