import { NO_ROUTES, type ServiceRoutes } from '#shared/route/model.ts';
import { NO_TRAFFIC_POLICY, type TrafficPolicy } from '#shared/route/traffic-policy.ts';
import { serviceHostname } from '../translate/cluster.ts';
import {
  type DestinationRuleTranslation,
  resolveSubset,
} from '../translate/destination-rule/destination-rule.ts';
import { mergeRules } from '../translate/merge-rules.ts';
import type { WorkloadSpec } from '../translate/pod-to-workload/workload-spec.ts';
import type { ServiceSpec } from '../translate/service/service-spec.ts';
import { requestedWaypoint } from '../translate/waypoint-gateway/bind-waypoint.ts';
import type { AttachedRoutes } from './attached-routes.ts';
import type { MeshObjects } from './mesh-objects.ts';
import type { Parsed } from './parsed-kind.ts';
import type { PolicySet } from './policy-set.ts';
import { bindRoutes, type RouteConflict } from './route-binding.ts';

export interface MadeRoutes {
  readonly routes: ServiceRoutes | undefined;
  readonly conflicts: readonly RouteConflict[];
}

/**
 * What waypoints need of one service. No routes where there is nothing to say: the service has no waypoint, and no route
 * of another service leads to a part of it. A service with a waypoint always has one, so that a waypoint can tell
 * "nothing attached" from "not received yet".
 */
export function serviceRoutesOf(
  objects: MeshObjects,
  policies: PolicySet,
  attached: AttachedRoutes,
  service: Parsed<ServiceSpec>,
  endpoints: readonly WorkloadSpec[],
): MadeRoutes {
  const { name, namespace } = service.value;
  const hostname = serviceHostname(objects.options.cluster, namespace, name);
  const key = `${namespace}/${hostname}`;
  const { conflicts, routed, rules } = rulesFor(attached, key, service.value);
  const { subsets, trafficPolicy } = destinationOf(objects, key, namespace);
  const { labels } = service.object.metadata;
  const namespaceLabels = objects.namespaceMeta(namespace).labels;
  const waypoint = requestedWaypoint({ labels, namespace, namespaceLabels });
  if (waypoint === undefined && !routed && subsets.length === 0 && trafficPolicy === NO_TRAFFIC_POLICY)
    return { routes: undefined, conflicts };
  const routes = {
    ...NO_ROUTES,
    namespace,
    hostname,
    rules,
    subsets: subsets.map(subset => resolveSubset(subset, endpoints)),
    trafficPolicy,
    authorizationPolicies: policies.forService(service.value, waypoint, endpoints),
    routed,
  };
  return { routes, conflicts };
}

function rulesFor(
  { gatewayRoutes, virtualServices }: AttachedRoutes,
  key: string,
  { ports }: ServiceSpec,
): Pick<ServiceRoutes, 'rules' | 'routed'> & Pick<MadeRoutes, 'conflicts'> {
  const bound = gatewayRoutes.get(key) ?? [];
  const ordered = virtualServices.get(key) ?? [];
  const { conflicts, rules } = bindRoutes(
    bound,
    ports.map(({ port }) => port),
  );
  const routed = bound.length > 0 || ordered.length > 0;
  return { rules: mergeRules(rules, ordered), routed, conflicts };
}

/** The service's own namespace goes before the root namespace, that before others; then the oldest. */
function destinationOf(
  objects: MeshObjects,
  key: string,
  namespace: string,
): { subsets: DestinationRuleTranslation['subsets']; trafficPolicy: TrafficPolicy } {
  const { rootNamespace } = objects.options;
  const rank = ({ object }: Parsed<DestinationRuleTranslation>): string => {
    const { creationTimestamp, name, namespace: own } = object.metadata;
    const level = own === namespace ? 0 : own === rootNamespace ? 1 : 2;
    return `${level} ${creationTimestamp} ${own}/${name}`;
  };
  const found = [...objects.destinationRules.all()]
    .filter(({ value }) => value.service === key)
    .sort((a, b) => (rank(a) < rank(b) ? -1 : 1))
    .map(({ value }) => value);
  const subsets = new Map<string, DestinationRuleTranslation['subsets'][number]>();
  for (const rule of found) for (const s of rule.subsets) if (!subsets.has(s.name)) subsets.set(s.name, s);
  const first = found.find(rule => rule.trafficPolicy !== NO_TRAFFIC_POLICY);
  return { subsets: [...subsets.values()], trafficPolicy: first?.trafficPolicy ?? NO_TRAFFIC_POLICY };
}
