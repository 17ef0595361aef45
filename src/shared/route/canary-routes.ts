import type { CanaryRoutes, ServiceRoutes } from './model.ts';

/** The routes of a service for one of its waypoints. */
export function routesHeldBy(routes: ServiceRoutes, waypoint: CanaryRoutes['waypoint']): ServiceRoutes {
  const { canary } = routes;
  if (canary === undefined) return routes;
  const { hostname, namespace } = canary.waypoint;
  const isCanary = namespace === waypoint.namespace && hostname === waypoint.hostname;
  return isCanary ? canary.routes : { ...routes, canary: undefined };
}
