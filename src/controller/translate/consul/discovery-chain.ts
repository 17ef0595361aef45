import {
  ANY_REQUEST,
  NO_TIMEOUTS,
  PLAIN_RULE,
  type RouteBackend,
  type RouteRule,
} from '#shared/route/model.ts';
import type { FailoverTarget } from '#shared/route/traffic-policy.ts';
import type { KnownService, ServiceLookup } from '../service-lookup.ts';
import type { ServiceReference } from './reference.ts';
import type { RouterRoute, ServiceRouter } from './service-router.ts';
import type { ServiceResolver } from './service-resolver.ts';
import type { ServiceSplitter, Split } from './service-splitter.ts';

/** The objects of a service's name and namespace. */
export interface ConsulLookup {
  router(namespace: string, name: string): ServiceRouter | undefined;
  splitter(namespace: string, name: string): ServiceSplitter | undefined;
  resolver(namespace: string, name: string): ServiceResolver | undefined;
}

/** Redirects and splits that lead to others are followed so far. */
const MAX_STEPS = 8;

/**
 * Consul's discovery chain of a service as rules: its router's routes, each destination split by its splitter, each of
 * those resolved by its resolver. Empty when none of the three says where requests go.
 *
 * @param name `ServiceRouter/<namespace>/<name>`, for logs.
 */
export function chainRules(
  name: string,
  namespace: string,
  serviceName: string,
  service: KnownService,
  consul: ConsulLookup,
  services: ServiceLookup,
): readonly RouteRule[] {
  const chain: Chain = { consul, services };
  const own: ServiceReference = { namespace, name: serviceName, subset: undefined };
  const router = consul.router(namespace, serviceName);
  const resolver = consul.resolver(namespace, serviceName);
  const leadsElsewhere =
    consul.splitter(namespace, serviceName) !== undefined ||
    resolver?.redirect !== undefined ||
    resolver?.defaultSubset !== undefined ||
    resolver?.requestTimeoutMs !== undefined;
  if (router === undefined && !leadsElsewhere) return [];
  const rest: RouterRoute = {
    matches: [],
    destination: undefined,
    filters: [],
    requestTimeoutMs: undefined,
    idleTimeoutMs: undefined,
    retry: undefined,
  };
  return [...(router?.routes ?? []), rest].flatMap((route, index) => {
    const to = { ...own, ...route.destination, name: route.destination?.name ?? serviceName };
    const splits = expand(to, chain, 0);
    const timeoutMs =
      route.requestTimeoutMs ?? chain.consul.resolver(to.namespace, to.name)?.requestTimeoutMs;
    return service.ports.map(port => ({
      ...PLAIN_RULE,
      name: `${name}/${index}`,
      ports: [port],
      matches: withRewritePath(route),
      filters: route.filters,
      backends: splits.map(split => backendOf(split, port, chain)),
      timeouts: { ...NO_TIMEOUTS, requestMs: timeoutMs, idleMs: route.idleTimeoutMs },
      retry: route.retry,
    }));
  });
}

interface Chain {
  readonly consul: ConsulLookup;
  readonly services: ServiceLookup;
}

/** Without a path the change of a prefix replaces "/", as Envoy does. */
function withRewritePath(route: RouterRoute): RouteRule['matches'] {
  if (!route.filters.some(filter => filter.kind === 'rewrite')) return route.matches;
  const whole = { kind: 'string_prefix', value: '/', ignoreCase: false } as const;
  const matches = route.matches.length > 0 ? route.matches : [ANY_REQUEST];
  return matches.map(match => ({ ...match, path: match.path ?? whole }));
}

/** Where a reference leads in the end, in shares. One that names a subset is not split. */
function expand(reference: ServiceReference, chain: Chain, step: number): readonly Split[] {
  const { name = '', namespace, subset } = reference;
  const splitter = subset === undefined ? chain.consul.splitter(namespace, name) : undefined;
  if (splitter === undefined || step >= MAX_STEPS)
    return [{ weight: 10_000, target: resolve(reference, chain), filters: [] }];
  return splitter.splits.flatMap(split => {
    const target = { ...split.target, name: split.target.name ?? name };
    const isOwn = target.name === name && target.namespace === namespace;
    const inner = isOwn
      ? [{ weight: 10_000, target: resolve(target, chain), filters: [] }]
      : expand(target, chain, step + 1);
    return inner.map(one => ({
      weight: (split.weight * one.weight) / 10_000,
      target: one.target,
      filters: [...split.filters, ...one.filters],
    }));
  });
}

/** Redirects followed, and the default subset put in. */
export function resolve(reference: ServiceReference, { consul }: Pick<Chain, 'consul'>): ServiceReference {
  let at = reference;
  for (let step = 0; step < MAX_STEPS; step++) {
    const { name = '', namespace } = at;
    const resolver = consul.resolver(namespace, name);
    if (resolver?.redirect === undefined) {
      return { ...at, subset: at.subset ?? resolver?.defaultSubset };
    }
    const { redirect } = resolver;
    at = { ...redirect, name: redirect.name ?? name };
  }
  return at;
}

function backendOf({ filters, target, weight }: Split, port: number, { services }: Chain): RouteBackend {
  const service = services.service(target.namespace, target.name ?? '');
  const [first, ...others] = service?.ports ?? [];
  const chosen = service?.ports.includes(port) === true ? port : others.length === 0 ? first : undefined;
  return {
    // Shares of shares may be fractions; weights are whole.
    weight: Math.round(weight * 100),
    service: chosen === undefined ? undefined : service?.key,
    port: chosen ?? port,
    subset: target.subset,
    filters,
  };
}

/** Who takes over for a subset (undefined: for the service). */
export function failoverTargets(
  resolver: ServiceResolver,
  subset: string | undefined,
  serviceName: string,
  services: ServiceLookup,
): readonly FailoverTarget[] {
  const targets = resolver.failover.get(subset ?? '*') ?? resolver.failover.get('*') ?? [];
  return targets.flatMap(({ name, namespace, subset: to }) => {
    const service = services.service(namespace, name ?? serviceName);
    return service === undefined ? [] : [{ service: service.key, subset: to }];
  });
}
