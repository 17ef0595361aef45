import type { AuthorizationPolicy, Match, Rule, StringMatch } from '#shared/authz/policy.ts';
import { l4Rules } from './l4-part.ts';

/**
 * Whether a policy is about who comes to the workload last, which the source is not: it names the waypoint. Istio's users
 * write such policies so that nobody gets past a waypoint, since there only ztunnels hold policies for workloads. Held by
 * the waypoint, against the real source, it would refuse everybody; with the waypoint let in by us it would mean nothing.
 *
 * A pattern that the waypoint happens to match does not name it. Nor does a policy that asks for HTTP attributes count,
 * of which a ztunnel sees nothing.
 *
 * @param principal identity of the waypoint, without `spiffe://`.
 */
export function isOfLastHop({ action, rules }: AuthorizationPolicy, principal: string): boolean {
  if (action !== 'allow' && action !== 'deny') return false;
  if (l4Rules(action, rules).changed.length > 0) return false;
  return rules.some(rule => isRuleNaming(rule, principal));
}

/**
 * What the waypoint itself holds of a policy. Of an ALLOW about the last hop nothing: its other rules are for who comes
 * past the waypoint. What a DENY denies besides is denied to whoever comes by way of the waypoint too.
 *
 * @param principals identities of the waypoint, all of which the policy must name to be about it.
 * @returns undefined: nothing
 */
export function heldByWaypoint(
  policy: AuthorizationPolicy,
  principals: readonly string[],
): AuthorizationPolicy | undefined {
  if (principals.length === 0 || !principals.every(one => isOfLastHop(policy, one))) return policy;
  const others = policy.rules.filter(rule => !principals.some(one => isRuleNaming(rule, one)));
  return policy.action === 'deny' && others.length > 0 ? { ...policy, rules: others } : undefined;
}

function isRuleNaming({ clauses }: Rule, principal: string): boolean {
  return clauses.some(({ matches }) => matches.some(match => names(match, principal)));
}

function names(match: Match, principal: string): boolean {
  const [, ofAnyDomain = ''] = /^[^/]+(\/.*)$/.exec(principal) ?? [];
  const isNamed = (text: StringMatch): boolean =>
    (text.kind === 'exact' && text.value === principal) ||
    (text.kind === 'suffix' && text.value === ofAnyDomain);
  const accounts = [...match.serviceAccounts, ...match.notServiceAccounts];
  return (
    [...match.principals, ...match.notPrincipals].some(isNamed) ||
    accounts.some(account => ofAnyDomain === `/ns/${account.namespace}/sa/${account.serviceAccount}`)
  );
}
