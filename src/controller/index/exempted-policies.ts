import { type AuthorizationPolicy, policyName } from '#shared/authz/policy.ts';
import { exemptWaypoint } from '../translate/authorization-policy/exempt-waypoint.ts';

/** A policy for ztunnels, and the namespaces of the workloads it may be for. */
export interface MeshPolicy {
  readonly policy: AuthorizationPolicy;
  /** Undefined: any. */
  readonly namespaces: readonly string[] | undefined;
}

/**
 * Identities, without `spiffe://`, of the waypoints that a policy lets pass, of those that services of the namespace are
 * behind.
 */
export type ExemptIn = (namespace: string) => readonly string[];

/**
 * What ztunnels get of a policy. A waypoint passes where services are behind it, and nowhere else: anybody may make one in a
 * namespace of theirs, and would be let past policies of the whole mesh. So a policy for several namespaces is given to each
 * of them as one of its own, which lets its waypoints pass.
 *
 * @param inNamespaces all that have workloads; undefined: there is no waypoint anywhere
 */
export function exemptedPolicies(
  { policy, namespaces = [] }: MeshPolicy,
  inNamespaces: readonly string[] | undefined,
  exemptIn: ExemptIn,
): readonly AuthorizationPolicy[] {
  const [only, ...others] = namespaces;
  if (only !== undefined && others.length === 0) return [exemptWaypoint(policy, exemptIn(only))];
  if (inNamespaces === undefined) return [policy];
  const reached = namespaces.length > 0 ? namespaces : inNamespaces;
  const divided = reached.map(namespace =>
    exemptWaypoint(inNamespace(policy, namespace), exemptIn(namespace)),
  );
  // Workloads that bear its name keep it until they have heard of the other one.
  return policy.scope === 'global' ? divided : [policy, ...divided];
}

/** The name by which a workload of the namespace bears the policy. */
export function nameIn({ policy, namespaces }: MeshPolicy, namespace: string, hasWaypoints: boolean): string {
  const isWhole = namespaces?.length === 1 || !hasWaypoints;
  return policyName(isWhole ? policy : inNamespace(policy, namespace));
}

/** `shop/deny-all@istio-system`. An `@` is in no name of an object. */
function inNamespace(policy: AuthorizationPolicy, namespace: string): AuthorizationPolicy {
  const scope = policy.scope === 'global' ? 'namespace' : policy.scope;
  return { ...policy, scope, namespace, name: `${policy.name}@${policy.namespace}` };
}
