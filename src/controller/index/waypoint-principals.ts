import { GATEWAY_NAME } from '../translate/mesh-labels.ts';
import { requestedWaypoint } from '../translate/waypoint-gateway/bind-waypoint.ts';
import type { WaypointLabels } from './destination-policy.ts';
import type { MeshObjects } from './mesh-objects.ts';

/**
 * Identities, without `spiffe://`, of the waypoints that services of a namespace (undefined: of any) are behind, sorted.
 */
export function waypointPrincipals(objects: MeshObjects, namespace: string | undefined): readonly string[] {
  const services = namespace === undefined ? objects.services.all() : objects.services.inNamespace(namespace);
  const principals = new Set<string>();
  for (const { object } of services) {
    const { labels, namespace: own } = object.metadata;
    const namespaceLabels = objects.namespaceMeta(own).labels;
    const wanted = requestedWaypoint({ labels, namespace: own, namespaceLabels });
    if (wanted === undefined || objects.waypoint(wanted.namespace, wanted.name) === undefined) continue;
    for (const principal of principalsOf(objects, wanted)) principals.add(principal);
  }
  return [...principals].sort();
}

/** Of one waypoint, likewise. */
export function principalsOf(
  objects: MeshObjects,
  waypoint: { readonly namespace: string; readonly name: string },
): readonly string[] {
  const { trustDomain } = objects.options.cluster;
  const accounts = [...waypointAccounts(objects, waypoint)];
  return accounts.map(account => `${trustDomain}/ns/${waypoint.namespace}/sa/${account}`);
}

/** Service accounts of its pods; before there are any, the one it will have. */
export function waypointAccounts(
  objects: MeshObjects,
  waypoint: { readonly namespace: string; readonly name: string },
): ReadonlySet<string> {
  const accounts = new Set<string>();
  for (const { value } of objects.pods.inNamespace(waypoint.namespace)) {
    if (value?.labels[GATEWAY_NAME] === waypoint.name) accounts.add(value.serviceAccount);
  }
  return accounts.size > 0 ? accounts : new Set([waypoint.name]);
}

/** Of its pods, which are alike; before there are any, the one that each will have. */
export function waypointLabels(
  objects: MeshObjects,
  { name, namespace }: { readonly namespace: string; readonly name: string },
): WaypointLabels {
  for (const { value } of objects.pods.inNamespace(namespace))
    if (value?.labels[GATEWAY_NAME] === name) return { namespace, labels: value.labels };
  return { namespace, labels: { [GATEWAY_NAME]: name } };
}
