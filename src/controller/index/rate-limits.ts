import { selectsLabels } from '#shared/kube/label-selector.ts';
import { PLAIN_RULE, type RouteRule, type ServiceRoutes } from '#shared/route/model.ts';
import type { LocalRateLimit } from '#shared/route/route-filter.ts';
import { keyOf } from '../source/kube-object.ts';
import { type Diagnostic, Diagnostics } from '../translate/diagnostic.ts';
import type { RateLimitPolicy } from '../translate/linkerd-rate-limit/rate-limit-policy.ts';
import { type LinkerdServer, selectedBy } from '../translate/linkerd-policy/server.ts';
import { targetPortOf } from '../translate/pod-to-workload/pod-to-workload.ts';
import type { WorkloadSpec } from '../translate/pod-to-workload/workload-spec.ts';
import type { ServiceSpec, ServiceSpecPort } from '../translate/service/service-spec.ts';
import type { MeshObjects } from './mesh-objects.ts';
import { addTo } from './multimap.ts';
import type { Parsed } from './parsed-kind.ts';

/** A policy with the Server it is for. */
export interface HeldRateLimit {
  readonly policy: Parsed<RateLimitPolicy>;
  readonly server: LinkerdServer;
}

/** The policies that hold, by namespace. A Server has one: of several the oldest, then the first by name. */
export function rateLimits(objects: MeshObjects): ReadonlyMap<string, readonly HeldRateLimit[]> {
  const age = ({ object }: Parsed<RateLimitPolicy>): string =>
    `${object.metadata.creationTimestamp} ${keyOf(object)}`;
  const policies = [...objects.linkerd.rateLimitPolicies.all()].sort((a, b) => (age(a) < age(b) ? -1 : 1));
  const taken = new Set<string>();
  const held = new Map<string, HeldRateLimit[]>();
  for (const policy of policies) {
    const { namespace } = policy.object.metadata;
    const key = `${namespace}/${policy.value.server}`;
    const server = objects.linkerd.servers.get(namespace, policy.value.server)?.value;
    if (server === undefined || taken.has(key)) continue;
    taken.add(key);
    addTo(held, namespace, { policy, server });
  }
  return held;
}

export interface ServiceLimits {
  readonly ports: readonly PortLimit[];
  /** Said of policies that are for some of the pods only. */
  readonly diagnostics: readonly Diagnostic[];
}

interface PortLimit {
  readonly port: number;
  /** Key of the policy's object. */
  readonly policy: string;
  readonly limit: LocalRateLimit;
}

/**
 * The limits of a service: of Servers that select the pods behind a port of it, all of them. A waypoint sees a service and
 * not which of its pods a request will reach, so that a Server that is for some of them limits nothing.
 */
export function limitsOfService(
  held: readonly HeldRateLimit[],
  service: ServiceSpec,
  endpoints: readonly WorkloadSpec[],
): ServiceLimits {
  const ports: PortLimit[] = [];
  const diagnostics: Diagnostic[] = [];
  for (const { policy, server } of held) {
    const key = keyOf(policy.object);
    for (const port of service.ports) {
      const found = coverage(server, port, endpoints);
      if (found === 'some') diagnostics.push(...partial(policy, service, port));
      if (found !== 'all') continue;
      const limit = { ...policy.value.limit, sharedAs: `${key}/${port.port}` };
      ports.push({ port: port.port, policy: key, limit });
    }
  }
  return { ports, diagnostics };
}

function coverage(
  server: LinkerdServer,
  servicePort: ServiceSpecPort,
  endpoints: readonly WorkloadSpec[],
): 'all' | 'some' | 'none' {
  const serving = endpoints.flatMap(endpoint => {
    const number = targetPortOf(servicePort, endpoint);
    return number === undefined ? [] : [{ endpoint, number }];
  });
  const selected = serving.filter(({ endpoint, number }) => {
    const selector = server[selectedBy(endpoint)];
    if (selector === undefined || !selectsLabels(selector, endpoint.labels)) return false;
    return numberOf(server.port, endpoint) === number;
  });
  if (selected.length === 0) return 'none';
  return selected.length === serving.length ? 'all' : 'some';
}

function numberOf(port: number | string, { namedPorts }: WorkloadSpec): number | undefined {
  return typeof port === 'number' ? port : namedPorts.get(port);
}

function partial(
  { object, value }: Parsed<RateLimitPolicy>,
  service: ServiceSpec,
  { port }: ServiceSpecPort,
): readonly Diagnostic[] {
  const said = new Diagnostics(object);
  said.ignore(
    'spec.targetRef.name',
    value.server,
    `limits nothing on port ${port} of Service ${service.name}: the Server selects some of its pods only`,
    'select all of them, or give those pods a Service of their own',
  );
  return said.found;
}

/** The routes with the limits as filters of every rule for their ports; a port that no rule is for gets one. */
export function withRateLimits(
  routes: ServiceRoutes,
  limits: readonly PortLimit[],
  service: ServiceSpec,
): ServiceRoutes {
  if (limits.length === 0) return routes;
  const limited = new Set(limits.map(({ port }) => port));
  const unruled = [...limited].filter(
    port => !routes.rules.some(rule => rule.consumer === undefined && isFor(rule, port)),
  );
  const plain = unruled.map((port): RouteRule => {
    const name = `Service/${service.namespace}/${service.name}`;
    const target = `${routes.namespace}/${routes.hostname}`;
    const backend = { weight: 1, service: target, port, subset: undefined, filters: [] };
    return { ...PLAIN_RULE, name, ports: [port], backends: [backend] };
  });
  const all = service.ports.map(({ port }) => port);
  return { ...routes, rules: [...routes.rules, ...plain].flatMap(rule => limitRule(rule, limits, all)) };
}

function isFor({ ports }: RouteRule, port: number): boolean {
  return ports.length === 0 || ports.includes(port);
}

/** A rule for several ports is one for each that is limited, and one for the others. */
function limitRule(
  rule: RouteRule,
  limits: readonly PortLimit[],
  all: readonly number[],
): readonly RouteRule[] {
  const own = rule.ports.length === 0 ? all : rule.ports;
  const ofPort = (port: number): RouteRule['filters'] =>
    limits
      .filter(limit => limit.port === port)
      .map(({ limit }) => ({ kind: 'local_rate_limit' as const, limit }));
  const pieces = own
    .filter(port => ofPort(port).length > 0)
    .map(port => ({ ...rule, ports: [port], filters: [...rule.filters, ...ofPort(port)] }));
  const others = own.filter(port => ofPort(port).length === 0);
  if (pieces.length === 0) return [rule];
  return others.length === 0 ? pieces : [...pieces, { ...rule, ports: others }];
}
