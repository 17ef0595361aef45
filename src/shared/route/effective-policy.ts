import type { ServiceRoutes } from './model.ts';
import type { TrafficPolicy } from './traffic-policy.ts';

/** The policy for endpoints of a port and subset: the most specific one there is, whole. An unknown subset has none of its own. */
export function effectivePolicy(
  routes: Pick<ServiceRoutes, 'subsets' | 'trafficPolicy' | 'portPolicies'>,
  port: number,
  subsetName: string | undefined,
): TrafficPolicy {
  const subset = routes.subsets.find(candidate => candidate.name === subsetName);
  return (
    subset?.portPolicies.find(candidate => candidate.port === port)?.policy ??
    subset?.trafficPolicy ??
    routes.portPolicies.find(candidate => candidate.port === port)?.policy ??
    routes.trafficPolicy
  );
}
