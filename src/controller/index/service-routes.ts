import { NO_ROUTES, type RouteRule, type ServiceRoutes } from '#shared/route/model.ts';
import type { StreamRule } from '#shared/route/stream-rule.ts';
import type { Diagnostic } from '../translate/diagnostic.ts';
import { withLoadBalancer } from '../translate/load-balancer-annotation.ts';
import { mergeRules, type ObjectRoutes, type RefusedRoutes } from '../translate/merge-rules.ts';
import type { WorkloadSpec } from '../translate/pod-to-workload/workload-spec.ts';
import type { ServiceSpec } from '../translate/service/service-spec.ts';
import { waypointLabels } from './waypoint-principals.ts';
import { type AttachedRoutes, hostContext } from './attached-routes.ts';
import { authorizersOf } from './authorizers.ts';
import { withBackendPolicy } from './backend-policies.ts';
import { resolverPolicy, resolverRefused } from './consul-routes.ts';
import { destinationPolicy, type WaypointLabels } from './destination-policy.ts';
import type { MeshObjects } from './mesh-objects.ts';
import type { Parsed } from './parsed-kind.ts';
import { pathNormalization } from './path-normalization.ts';
import type { PolicySubject } from './policy-reach.ts';
import type { PolicySet } from './policy-set.ts';
import { limitsOfService, withRateLimits } from './rate-limits.ts';
import { telemetryFor } from './telemetry.ts';
import { bindRoutes, type BoundRoute, type RouteConflict } from './route-binding.ts';
import { withServiceAnnotations } from './service-annotations.ts';
import { type TlsOverride, tlsOverrides, withBackendTls } from './with-backend-tls.ts';

export interface MadeRoutes {
  readonly routes: ServiceRoutes | undefined;
  readonly conflicts: readonly RouteConflict[];
  /** Keys of the rate limit policies that hold for it. */
  readonly limitedBy: readonly string[];
  /** BackendTLSPolicies that give way to DestinationRules. */
  readonly tlsOverrides: readonly TlsOverride[];
  /** Said about objects that are not applied to the service. */
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
  waypoint: PolicySubject['waypoint'],
): MadeRoutes {
  const { hostname, name, namespace } = service.value;
  const kind = kindOf(service);
  const { conflicts, routed, rules, streamRules, ...made } = rulesFor(attached, service.value);
  const client = waypoint && waypointLabels(objects, waypoint);
  const traffic = trafficOf(objects, attached, service, client, endpoints);
  const diagnostics = [...made.diagnostics, ...traffic.diagnostics];
  const { object } = service;
  const endpointsByHost =
    kind === 'ServiceEntry' &&
    objects.serviceEntries.get(namespace, object.metadata.name)?.value.endpointsByHost === true;
  if (waypoint === undefined && !routed && traffic.isPlain && !endpointsByHost)
    return { routes: undefined, conflicts, limitedBy: [], tlsOverrides: [], diagnostics };
  const ports = service.value.ports.map(({ port }) => port);
  const subject: PolicySubject = {
    kind,
    name,
    namespace,
    waypoint,
    endpoints,
    ports: service.value.ports,
  };
  const authorizationPolicies = policies.forService(subject);
  const routes = {
    ...NO_ROUTES,
    namespace,
    hostname,
    rules,
    streamRules,
    inboundRules: waypoint === undefined ? [] : policies.inboundRulesFor(subject),
    ...traffic.policies,
    authorizationPolicies,
    authorizers: authorizersOf(objects, authorizationPolicies),
    tokenIssuers: policies.tokenIssuersFor(subject),
    telemetry: telemetryFor(subject, objects),
    routed,
    pathNormalization: pathNormalization(objects),
    endpointsByHost,
  };
  const annotated = withServiceAnnotations(
    routes,
    service.object,
    ports,
    hostContext(objects, service.object),
  );
  diagnostics.push(...annotated.diagnostics);
  // Whoever comes around the waypoint is not counted: without one nobody is.
  const held = waypoint === undefined || kind !== 'Service' ? [] : (attached.rateLimits.get(namespace) ?? []);
  const limits = limitsOfService(held, service.value, endpoints);
  return {
    routes: withRateLimits(annotated.routes, limits.ports, service.value),
    conflicts,
    limitedBy: limits.ports.map(({ policy: key }) => key),
    tlsOverrides: traffic.tlsOverrides,
    diagnostics: [...diagnostics, ...limits.diagnostics],
  };
}

function kindOf({ object }: Parsed<ServiceSpec>): 'Service' | 'ServiceEntry' {
  return object.kind === 'ServiceEntry' ? 'ServiceEntry' : 'Service';
}

interface MadeTraffic {
  readonly policies: Pick<ServiceRoutes, 'portPolicies' | 'subsets' | 'trafficPolicy'>;
  /** Nothing says how connections to it are to be made. */
  readonly isPlain: boolean;
  readonly tlsOverrides: readonly TlsOverride[];
  readonly diagnostics: readonly Diagnostic[];
}

/** By DestinationRules, else by a ServiceResolver, and by an XBackendTrafficPolicy and BackendTLSPolicies. */
function trafficOf(
  objects: MeshObjects,
  attached: AttachedRoutes,
  service: Parsed<ServiceSpec>,
  waypoint: WaypointLabels | undefined,
  endpoints: readonly WorkloadSpec[],
): MadeTraffic {
  const { hostname, name, namespace } = service.value;
  const key = `${namespace}/${hostname}`;
  const destinationRules = attached.destinationRules.get(key) ?? [];
  const { rootNamespace } = objects.options;
  const reach = { service: key, namespace, waypoint, rootNamespace };
  const policy = destinationPolicy(destinationRules, reach, endpoints);
  const resolver = kindOf(service) === 'Service' ? objects.serviceResolvers.get(namespace, name) : undefined;
  const usesResolver = resolver !== undefined && !policy.isApplied;
  const effective = usesResolver ? resolverPolicy(resolver, endpoints, objects) : policy;
  const backendPolicy = attached.backendPolicies.get(key)?.value;
  const { diagnostics, policies } = withLoadBalancer(
    service.object,
    withBackendPolicy(effective, backendPolicy),
  );
  const secured = kindOf(service) === 'Service' ? attached.backendTls.get(key) : undefined;
  const ports = service.value.ports.map(({ port }) => port);
  const refused = resolver !== undefined && !usesResolver ? [resolverRefused(resolver, key)] : [];
  return {
    policies: secured === undefined ? policies : withBackendTls(policies, secured),
    isPlain: [resolver, backendPolicy, secured, ...destinationRules].every(one => one === undefined),
    tlsOverrides:
      secured === undefined ? [] : tlsOverrides(policies, secured, { key, ports }, policy.tlsRules),
    diagnostics: [...policy.diagnostics, ...refused, ...diagnostics],
  };
}

type MadeRules = Pick<ServiceRoutes, 'rules' | 'streamRules' | 'routed'> &
  Pick<MadeRoutes, 'conflicts' | 'diagnostics'>;

function rulesFor(attached: AttachedRoutes, { hostname, namespace, ports }: ServiceSpec): MadeRules {
  const key = `${namespace}/${hostname}`;
  const bound = attached.gatewayRoutes.get(key) ?? [];
  const others = attached.objectRoutes.get(key) ?? [];
  const {
    conflicts,
    rules: gatewayRules,
    streamRules: gatewayStreams,
  } = bindRoutes(
    bound,
    ports.map(({ port }) => port),
  );
  // Consumers' routes are a world of their own, whatever the service's producer writes.
  const consumers = gatewayRules.filter(rule => rule.consumer !== undefined);
  const consumerStreams = gatewayStreams.filter(rule => rule.consumer !== undefined);
  const merged = mergeRules([...producerRoutes(bound, gatewayRules, gatewayStreams), ...others]);
  return {
    rules: [...consumers, ...merged.rules],
    streamRules: [...consumerStreams, ...merged.streamRules],
    routed: bound.length > 0 || others.length > 0,
    conflicts,
    diagnostics: merged.refused.map(refused => refusal(key, refused)),
  };
}

/** All Gateway API routes of the service's producer as one, by the oldest of them: they have an order of their own. */
function producerRoutes(
  bound: readonly BoundRoute[],
  rules: readonly RouteRule[],
  streamRules: readonly StreamRule[],
): readonly ObjectRoutes[] {
  const byRoute = bound
    .filter(({ attachment }) => attachment.consumer === undefined)
    .map(({ attachment, route }) => ({
      route,
      creationTimestamp: (attachment.rules[0] ?? attachment.streams[0])?.creationTimestamp ?? '',
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
      streamRules: index === 0 ? streamRules.filter(rule => rule.consumer === undefined) : [],
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
