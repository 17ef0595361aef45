import type { JsonObject } from '#shared/config/json.ts';
import { apiVersionOf, type KubeResource } from '#shared/kube/resource.ts';
import { AUTO_WAYPOINT, USE_WAYPOINT } from '../translate/mesh-labels.ts';
import { AUTO_WAYPOINT_NAME, OWN_WAYPOINT_CLASS } from '../translate/waypoint-gateway/waypoint.ts';

export const GATEWAYS: KubeResource = {
  group: 'gateway.networking.k8s.io',
  version: 'v1',
  kind: 'Gateway',
  plural: 'gateways',
  namespaced: true,
};

type Labels = Readonly<Record<string, string>>;

/** Whether a namespace's labels ask for a waypoint to be made for it. One that names another has what it wants. */
export function wantsAutoWaypoint(labels: Labels): boolean {
  const named = labels[USE_WAYPOINT] ?? AUTO_WAYPOINT_NAME;
  return labels[AUTO_WAYPOINT] === 'true' && named === AUTO_WAYPOINT_NAME;
}

/** Whether a Gateway was made for a namespace that asked, and so goes when it no longer does. */
export function isAutoWaypoint(gatewayLabels: Labels): boolean {
  return gatewayLabels[AUTO_WAYPOINT] === 'true';
}

export function autoWaypointGateway(namespace: string): JsonObject {
  return {
    apiVersion: apiVersionOf(GATEWAYS),
    kind: GATEWAYS.kind,
    metadata: { name: AUTO_WAYPOINT_NAME, namespace, labels: { [AUTO_WAYPOINT]: 'true' } },
    spec: {
      gatewayClassName: OWN_WAYPOINT_CLASS,
      listeners: [{ name: 'mesh', port: 15_008, protocol: 'HBONE' }],
    },
  };
}
