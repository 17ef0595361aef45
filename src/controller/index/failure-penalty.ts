import type { ServiceRoutes } from '#shared/route/model.ts';
import type { FailurePenalty } from '#shared/route/traffic-policy.ts';
import type { KubeObject } from '../source/kube-object.ts';
import { type Diagnostic, Diagnostics } from '../translate/diagnostic.ts';
import { PENALIZE_FAILURES } from '../translate/linkerd-annotations/failure-penalty.ts';
import { allPolicies, changePolicies } from '../translate/service-policies.ts';

/**
 * The routes with Linkerd's load biaser, which is part of its one balancer: where nobody names another one the service is
 * balanced by latency.
 */
export function withFailurePenalty(
  routes: ServiceRoutes,
  service: KubeObject,
  penalty: FailurePenalty | undefined,
  diagnostics: Diagnostic[],
): ServiceRoutes {
  if (penalty === undefined) return routes;
  const other = allPolicies(routes).find(
    ({ loadBalancer }) => loadBalancer !== undefined && loadBalancer.kind !== 'peak_ewma',
  )?.loadBalancer;
  if (other !== undefined) diagnostics.push(...refused(service, other.kind));
  const changed = changePolicies(routes, policy =>
    policy.loadBalancer === undefined || policy.loadBalancer.kind === 'peak_ewma'
      ? { ...policy, loadBalancer: { kind: 'peak_ewma', penalty } }
      : policy,
  );
  return { ...routes, ...changed };
}

function refused(service: KubeObject, kind: string): readonly Diagnostic[] {
  const said = new Diagnostics(service);
  said.ignore(
    `metadata.annotations.${PENALIZE_FAILURES}`,
    service.metadata.annotations[PENALIZE_FAILURES],
    `has no effect where the load balancer is ${kind}: no latency is looked at`,
    'keep one of the two',
  );
  return said.found;
}
