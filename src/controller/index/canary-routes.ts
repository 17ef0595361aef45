import { isDeepStrictEqual } from 'node:util';
import type { WorkloadSpec } from '../translate/pod-to-workload/workload-spec.ts';
import type { ServiceSpec } from '../translate/service/service-spec.ts';
import { serviceHostname } from '../translate/cluster.ts';
import { requestedWaypoint } from '../translate/waypoint-gateway/bind-waypoint.ts';
import type { AttachedRoutes } from './attached-routes.ts';
import { canaryOf } from './canary-of.ts';
import type { MeshObjects } from './mesh-objects.ts';
import type { Parsed } from './parsed-kind.ts';
import type { PolicySet } from './policy-set.ts';
import { type MadeRoutes, serviceRoutesOf } from './service-routes.ts';

/**
 * What the waypoint of a service needs of it, and its canary where that is not the same: a policy may be for one Gateway, a
 * DestinationRule for one waypoint by its labels. Whether a pod of the canary is ready does not matter: it is to know what it
 * holds before its first connection.
 */
export function routesWithCanary(
  objects: MeshObjects,
  policies: PolicySet,
  attached: AttachedRoutes,
  service: Parsed<ServiceSpec>,
  endpoints: readonly WorkloadSpec[],
): MadeRoutes {
  const { labels, namespace } = service.object.metadata;
  const namespaceLabels = objects.namespaceMeta(namespace).labels;
  const waypoint = requestedWaypoint({ labels, namespace, namespaceLabels });
  const made = serviceRoutesOf(objects, policies, attached, service, endpoints, waypoint);
  const canary = canaryOf(objects, service.object);
  if (canary.kind !== 'bound' || made.routes === undefined) return made;
  const second = serviceRoutesOf(objects, policies, attached, service, endpoints, canary);
  // What has no effect at one of them alone has its effect at the other.
  const diagnostics = made.diagnostics.filter(one =>
    second.diagnostics.some(other => isDeepStrictEqual(other, one)),
  );
  if (second.routes === undefined || isDeepStrictEqual(second.routes, made.routes))
    return { ...made, diagnostics };
  const hostname = serviceHostname(objects.options.cluster, canary.namespace, canary.name);
  const ofCanary = { waypoint: { namespace: canary.namespace, hostname }, routes: second.routes };
  return { ...made, diagnostics, routes: { ...made.routes, canary: ofCanary } };
}
