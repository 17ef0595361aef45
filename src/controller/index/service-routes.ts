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
import type { MeshObjects } from './mesh-objects.ts';
import type { Parsed } from './parsed-kind.ts';
import type { PolicySet } from './policy-set.ts';

/**
 * What waypoints need of one service. Undefined where there is nothing to say: the service has no waypoint, and no route
 * of another service leads to a part of it. A service with a waypoint always has one, so that a waypoint can tell
 * "nothing attached" from "not received yet".
 */
export function serviceRoutesOf(
  objects: MeshObjects,
  policies: PolicySet,
  service: Parsed<ServiceSpec>,
  endpoints: readonly WorkloadSpec[],
): ServiceRoutes | undefined {
  const { name, namespace } = service.value;
  const hostname = serviceHostname(objects.options.cluster, namespace, name);
  const key = `${namespace}/${hostname}`;
  const { rules, routed } = rulesFor(objects, key);
  const { subsets, trafficPolicy } = destinationOf(objects, key, namespace);
  const { labels } = service.object.metadata;
  const namespaceLabels = objects.namespaceMeta(namespace).labels;
  const waypoint = requestedWaypoint({ labels, namespace, namespaceLabels });
  if (waypoint === undefined && !routed && subsets.length === 0 && trafficPolicy === NO_TRAFFIC_POLICY)
    return undefined;
  return {
    ...NO_ROUTES,
    namespace,
    hostname,
    rules,
    subsets: subsets.map(subset => resolveSubset(subset, endpoints)),
    trafficPolicy,
    authorizationPolicies: policies.forService(service.value, waypoint, endpoints),
    routed,
  };
}

function rulesFor(objects: MeshObjects, key: string): Pick<ServiceRoutes, 'rules' | 'routed'> {
  const fromHttpRoutes = [...objects.httpRoutes.all()].flatMap(({ value }) =>
    value.attachments.filter(attachment => attachment.service === key),
  );
  const fromVirtualServices = [...objects.virtualServices.all()].flatMap(({ object, value }) => {
    const { creationTimestamp, name, namespace } = object.metadata;
    return value.attachments
      .filter(attachment => attachment.service === key)
      .map(({ rules }) => ({ creationTimestamp, name, namespace, rules }));
  });
  return {
    rules: mergeRules(
      fromHttpRoutes.flatMap(attachment => attachment.rules),
      fromVirtualServices,
    ),
    routed: fromHttpRoutes.length > 0 || fromVirtualServices.length > 0,
  };
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
