import { keyOf } from '../source/kube-object.ts';
import type { BackendTrafficPolicy } from '../translate/backend-traffic-policy/backend-traffic-policy.ts';
import { changePolicies, type ServicePolicies } from '../translate/service-policies.ts';
import type { MeshObjects } from './mesh-objects.ts';
import type { Parsed } from './parsed-kind.ts';

/** The XBackendTrafficPolicy that holds for each service. Of several the oldest, then the first by name (GEP-713). */
export function backendPolicies(objects: MeshObjects): ReadonlyMap<string, Parsed<BackendTrafficPolicy>> {
  const age = ({ object }: Parsed<BackendTrafficPolicy>): string =>
    `${object.metadata.creationTimestamp} ${keyOf(object)}`;
  const policies = [...objects.backendTrafficPolicies.all()].sort((a, b) => (age(a) < age(b) ? -1 : 1));
  const byService = new Map<string, Parsed<BackendTrafficPolicy>>();
  for (const policy of policies) {
    for (const name of policy.value.services) {
      const key = objects.service(policy.object.metadata.namespace, name)?.key;
      if (key !== undefined && !byService.has(key)) byService.set(key, policy);
    }
  }
  return byService;
}

/** What a DestinationRule sets itself goes before. */
export function withBackendPolicy(
  policies: ServicePolicies,
  policy: BackendTrafficPolicy | undefined,
): ServicePolicies {
  if (policy === undefined) return policies;
  const { retryBudget, session } = policy;
  return changePolicies(policies, own => ({
    ...own,
    retryBudget: own.retryConcurrency === undefined ? (own.retryBudget ?? retryBudget) : undefined,
    session: own.session ?? session,
  }));
}
