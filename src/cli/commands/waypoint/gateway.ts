import type { JsonObject } from '#shared/config/json.ts';
import { REVISION, WAYPOINT_CLASSES, WAYPOINT_FOR } from '../../cluster/mesh-labels.ts';
import { GATEWAY } from '../../cluster/kinds.ts';
import { conditionsOf, isConditionTrue, type KubeObject } from '../../cluster/kube-object.ts';
import { text } from '#shared/config/json-fields.ts';

export const TRAFFIC_TYPES = ['service', 'workload', 'all', 'none'] as const;
export type TrafficType = (typeof TRAFFIC_TYPES)[number];

export interface WaypointSpec {
  readonly namespace: string;
  readonly name: string;
  /** Without it the default of waypoints, `service`. */
  readonly trafficType: TrafficType | undefined;
  readonly revision: string | undefined;
}

/** The Gateway that asks the controller for a waypoint. */
export function waypointGateway({ namespace, name, trafficType, revision }: WaypointSpec): JsonObject {
  const labels = {
    ...(trafficType === undefined ? {} : { [WAYPOINT_FOR]: trafficType }),
    ...(revision === undefined ? {} : { [REVISION]: revision }),
  };
  return {
    apiVersion: GATEWAY.apiVersion,
    kind: GATEWAY.kind,
    metadata: { name, namespace, ...(Object.keys(labels).length === 0 ? {} : { labels }) },
    spec: {
      gatewayClassName: 'ambient-waypoint',
      listeners: [{ name: 'mesh', port: 15_008, protocol: 'HBONE' }],
    },
  };
}

export function isWaypoint(gateway: KubeObject): boolean {
  return WAYPOINT_CLASSES.has(text(gateway.spec, 'gatewayClassName'));
}

export function isProgrammed(gateway: KubeObject): boolean {
  return isConditionTrue(gateway.status, 'Programmed');
}

/** Why it is not programmed, in the controller's words. */
export function notProgrammedReason(gateway: KubeObject): string {
  const conditions = conditionsOf(gateway.status);
  const against = conditions.find(c => c.type === 'Programmed') ?? conditions.find(c => c.status !== 'True');
  if (against === undefined)
    return 'no controller has looked at it: is the mesh installed? try: ambientctl check';
  return [against.reason, against.message].filter(part => part !== '').join(': ');
}
