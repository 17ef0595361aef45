import type { KubeObject } from '../source/kube-object.ts';
import { bindWaypoint, requestedWaypoint } from '../translate/waypoint-gateway/bind-waypoint.ts';
import { canaryOf } from './canary-of.ts';
import type { MeshObjects } from './mesh-objects.ts';

/** `<namespace>/<name>` of the waypoint that serves a Service, ready or not. */
export function waypointOfService(objects: MeshObjects, namespace: string, name: string): string | undefined {
  return waypointOf(objects, objects.services.get(namespace, name)?.object, namespace);
}

/** As of a Service. */
export function waypointOfServiceEntry(
  objects: MeshObjects,
  namespace: string,
  name: string,
): string | undefined {
  return waypointOf(objects, objects.serviceEntries.get(namespace, name)?.object, namespace);
}

/** Of a Service or ServiceEntry: its waypoint and its canary. */
export function waypointsOf(objects: MeshObjects, object: KubeObject | undefined): readonly string[] {
  const waypoint = object && waypointOf(objects, object, object.metadata.namespace);
  if (object === undefined || waypoint === undefined) return [];
  const canary = canaryOf(objects, object);
  return canary.kind === 'bound' ? [waypoint, `${canary.namespace}/${canary.name}`] : [waypoint];
}

function waypointOf(
  objects: MeshObjects,
  object: KubeObject | undefined,
  namespace: string,
): string | undefined {
  const labels = object?.metadata.labels ?? {};
  const namespaceLabels = objects.namespaceLabels(namespace);
  const request = { traffic: 'service', namespace, labels, namespaceLabels } as const;
  const wanted = requestedWaypoint(request);
  const binding = bindWaypoint(request, objects, objects.options.cluster);
  return wanted === undefined || binding.reason !== 'WaypointAccepted'
    ? undefined
    : `${wanted.namespace}/${wanted.name}`;
}
