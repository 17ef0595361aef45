import type { ServiceRoutes } from '#shared/route/model.ts';
import type { RouteFilter } from '#shared/route/route-filter.ts';

/** `<namespace>/<hostname>`. */
export function serviceKey({ hostname, namespace }: Pick<ServiceRoutes, 'hostname' | 'namespace'>): string {
  return `${namespace}/${hostname}`;
}

/** Services that its waypoint connects to for its sake: itself, backends, copies, who is asked, who takes over. */
export function reachedServices(routes: ServiceRoutes): readonly string[] {
  const { authorizers, rules, streamRules, trafficPolicy } = routes;
  const backends = [...rules, ...streamRules].flatMap(rule => rule.backends);
  const filters = [...rules, ...backends].flatMap(from => from.filters);
  const reached = [
    serviceKey(routes),
    ...backends.map(({ service }) => service),
    ...filters.map(serviceOf),
    ...authorizers.map(({ service }) => service),
    ...trafficPolicy.failover.map(({ service }) => service),
  ];
  return [...new Set(reached.filter(service => service !== undefined))];
}

function serviceOf(filter: RouteFilter): string | undefined {
  switch (filter.kind) {
    case 'mirror':
      return filter.mirror.service;
    case 'external_authorization':
      return filter.authorizer.service;
    case 'global_rate_limit':
      return filter.limit.service;
    default:
      return undefined;
  }
}
