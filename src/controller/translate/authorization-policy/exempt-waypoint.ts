import { EMPTY_MATCH } from '#shared/authz/policy.ts';
import type { AuthorizationPolicy, StringMatch } from '#shared/authz/policy.ts';

/**
 * The L4 form of a policy for workloads behind a waypoint. Their ztunnel sees the waypoint as the source of what comes
 * through it, while the waypoint has held the same policies against the real source: so the policy lets the waypoint
 * pass, and nobody else.
 *
 * @param principals identities of the waypoints, without `spiffe://`.
 */
export function exemptWaypoint(
  policy: AuthorizationPolicy,
  principals: readonly string[],
): AuthorizationPolicy {
  if (principals.length === 0) return policy;
  const waypoints = principals.map((value): StringMatch => ({ kind: 'exact', value }));
  if (policy.action === 'allow') {
    const rule = { clauses: [{ matches: [{ ...EMPTY_MATCH, principals: waypoints }] }] };
    return { ...policy, rules: [...policy.rules, rule] };
  }
  const others = { matches: [{ ...EMPTY_MATCH, notPrincipals: waypoints }] };
  return { ...policy, rules: policy.rules.map(rule => ({ clauses: [...rule.clauses, others] })) };
}
