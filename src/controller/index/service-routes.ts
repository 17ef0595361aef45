import { NO_ROUTES, type RouteRule, type ServiceRoutes } from '#shared/route/model.ts';
import { NO_TRAFFIC_POLICY, type TrafficPolicy } from '#shared/route/traffic-policy.ts';
import { serviceHostname } from '../translate/cluster.ts';
import {
  type DestinationRuleTranslation,
  resolveSubset,
} from '../translate/destination-rule/destination-rule.ts';
import type { Diagnostic } from '../translate/diagnostic.ts';
import { mergeRules, type ObjectRoutes, type RefusedRoutes } from '../translate/merge-rules.ts';
import type { WorkloadSpec } from '../translate/pod-to-workload/workload-spec.ts';
import type { ServiceSpec } from '../translate/service/service-spec.ts';
import { requestedWaypoint } from '../translate/waypoint-gateway/bind-waypoint.ts';
import type { AttachedRoutes } from './attached-routes.ts';
import type { MeshObjects } from './mesh-objects.ts';
import type { Parsed } from './parsed-kind.ts';
import type { PolicySet } from './policy-set.ts';
import { bindRoutes, type BoundRoute, type RouteConflict } from './route-binding.ts';

export interface MadeRoutes {
  readonly routes: ServiceRoutes | undefined;
  readonly conflicts: readonly RouteConflict[];
  /** Said about objects whose routes give way to another dialect's. */
  readonly diagnostics: readonly Diagnostic[];
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
  const { conflicts, diagnostics, routed, rules, streamRules } = rulesFor(attached, key, service.value);
  const { subsets, trafficPolicy } = destinationOf(objects, key, namespace);
  const { labels } = service.object.metadata;
  const namespaceLabels = objects.namespaceMeta(namespace).labels;
  const waypoint = requestedWaypoint({ labels, namespace, namespaceLabels });
  if (waypoint === undefined && !routed && subsets.length === 0 && trafficPolicy === NO_TRAFFIC_POLICY)
    return { routes: undefined, conflicts, diagnostics };
  const routes = {
    ...NO_ROUTES,
    namespace,
    hostname,
    rules,
    streamRules,
    subsets: subsets.map(subset => resolveSubset(subset, endpoints)),
    trafficPolicy,
    authorizationPolicies: policies.forService(service.value, waypoint, endpoints),
    routed,
  };
  return { routes, conflicts, diagnostics };
}

type MadeRules = Pick<ServiceRoutes, 'rules' | 'streamRules' | 'routed'> &
  Pick<MadeRoutes, 'conflicts' | 'diagnostics'>;

function rulesFor(attached: AttachedRoutes, key: string, { ports }: ServiceSpec): MadeRules {
  const bound = attached.gatewayRoutes.get(key) ?? [];
  const others = attached.objectRoutes.get(key) ?? [];
  const { conflicts, rules: gatewayRules } = bindRoutes(
    bound,
    ports.map(({ port }) => port),
  );
  // Consumers' routes are a world of their own, whatever the service's producer writes.
  const consumers = gatewayRules.filter(rule => rule.consumer !== undefined);
  const merged = mergeRules([...producerRoutes(bound, gatewayRules), ...others]);
  return {
    rules: [...consumers, ...merged.rules],
    streamRules: merged.streamRules,
    routed: bound.length > 0 || others.length > 0,
    conflicts,
    diagnostics: merged.refused.map(refused => refusal(key, refused)),
  };
}

/** All Gateway API routes of the service's producer as one, by the oldest of them: they have an order of their own. */
function producerRoutes(bound: readonly BoundRoute[], rules: readonly RouteRule[]): readonly ObjectRoutes[] {
  const byRoute = bound
    .filter(({ attachment }) => attachment.consumer === undefined)
    .map(({ attachment, route }) => ({
      route,
      creationTimestamp: attachment.rules[0]?.creationTimestamp ?? '',
    }))
    .sort((a, b) => (`${a.creationTimestamp} ${a.route}` < `${b.creationTimestamp} ${b.route}` ? -1 : 1));
  return byRoute.map(({ creationTimestamp, route }, index) => {
    const [kind = '', namespace = '', name = ''] = route.split('/');
    return {
      dialect: 'Gateway API',
      object: `${kind} ${namespace}/${name}`,
      field: 'spec.parentRefs',
      creationTimestamp,
      wildcard: false,
      rules: index === 0 ? rules.filter(rule => rule.consumer === undefined) : [],
      streamRules: [],
    };
  });
}

function refusal(service: string, { instead, routes }: RefusedRoutes): Diagnostic {
  const why =
    instead.dialect === routes.dialect
      ? `${instead.object} names it`
      : `${instead.object} was there first, and ${routes.dialect} says nothing of what both mean together`;
  return {
    object: routes.object,
    field: routes.field,
    value: JSON.stringify(service),
    message: `nothing of it is applied to ${service}: ${why}`,
    fix: 'keep the routes of a service in one place',
    severity: 'ignored',
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
