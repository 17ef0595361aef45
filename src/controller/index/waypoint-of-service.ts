import { bindWaypoint, requestedWaypoint } from '../translate/waypoint-gateway/bind-waypoint.ts';
import type { MeshObjects } from './mesh-objects.ts';

/** `<namespace>/<name>` of the waypoint that serves a Service, ready or not. */
export function waypointOfService(objects: MeshObjects, namespace: string, name: string): string | undefined {
  const labels = objects.services.get(namespace, name)?.object.metadata.labels ?? {};
  const namespaceLabels = objects.namespaceLabels(namespace);
  const request = { traffic: 'service', namespace, labels, namespaceLabels } as const;
  const wanted = requestedWaypoint(request);
  const binding = bindWaypoint(request, objects, objects.options.cluster);
  return wanted === undefined || binding.reason !== 'WaypointAccepted'
    ? undefined
    : `${wanted.namespace}/${wanted.name}`;
}
