import type { KubeObject } from '../source/kube-object.ts';
import { GATEWAY_NAME } from '../translate/mesh-labels.ts';
import { bindWaypoint, requestedWaypoint } from '../translate/waypoint-gateway/bind-waypoint.ts';
import type { MeshObjects } from '../index/mesh-objects.ts';
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
  if (readyPods(objects, wanted.namespace, wanted.name) > 0)
    return isTrue(WAYPOINT_BOUND, 'WaypointAccepted', `attached to waypoint ${shown}`);
  const message = `no pod of waypoint ${shown} is ready: traffic is refused until one is`;
  return isFalse(WAYPOINT_BOUND, 'WaypointIsNotReady', message);
}

export function readyPods(objects: MeshObjects, namespace: string, gateway: string): number {
  let ready = 0;
  for (const { value } of objects.pods.inNamespace(namespace))
    if (value?.healthy === true && value.labels[GATEWAY_NAME] === gateway) ready++;
  return ready;
}
