import { OF_CANARY } from '#shared/workload/waypoint.ts';
import type { KubeObject } from '../source/kube-object.ts';
import { bindWaypoint, requestedWaypoint } from '../translate/waypoint-gateway/bind-waypoint.ts';
import type { MeshObjects } from '../index/mesh-objects.ts';
import { canaryOf } from '../index/canary-of.ts';
import { hasReadyPod } from '../index/ready-pods.ts';
import { type Condition, isFalse, isTrue } from './condition.ts';

export const WAYPOINT_BOUND = 'istio.io/WaypointBound';

/** The condition of what asks for a waypoint (Service, ServiceEntry, WorkloadEntry); undefined for what does not. */
export function waypointBound(
  object: KubeObject,
  objects: MeshObjects,
  traffic: 'service' | 'workload' = 'service',
): Condition | undefined {
  const { labels, namespace } = object.metadata;
  const request = { labels, namespace, namespaceLabels: objects.namespaceLabels(namespace) };
  const wanted = requestedWaypoint(request);
  const binding = bindWaypoint({ traffic, ...request }, objects, objects.options.cluster);
  if (wanted === undefined || binding.reason === 'NotRequested') return undefined;
  if ('message' in binding) return isFalse(WAYPOINT_BOUND, binding.reason, binding.message);
  const shown = `${wanted.namespace}/${wanted.name}`;
  if (!hasReadyPod(objects, wanted.namespace, wanted.name)) {
    const message = `no pod of waypoint ${shown} is ready: traffic is refused until one is`;
    return isFalse(WAYPOINT_BOUND, 'WaypointIsNotReady', message);
  }
  const attached = `attached to waypoint ${shown}`;
  const canary = canaryOf(objects, object);
  if (traffic === 'workload' || canary.kind === 'none')
    return isTrue(WAYPOINT_BOUND, 'WaypointAccepted', attached);
  if (canary.kind === 'refused') return isFalse(WAYPOINT_BOUND, canary.reason, canary.message);
  const second = `${canary.namespace}/${canary.name}`;
  if (hasReadyPod(objects, canary.namespace, canary.name)) {
    const share = `${canary.weight} of 100 connections go to canary ${second}`;
    return isTrue(WAYPOINT_BOUND, 'WaypointAccepted', `${attached}; ${share}`);
  }
  const message = `${OF_CANARY}no pod of waypoint ${second} is ready; all connections go to waypoint ${shown}`;
  return isFalse(WAYPOINT_BOUND, 'WaypointIsNotReady', message);
}
