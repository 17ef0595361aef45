import type { AuthorizationPolicy, Match, StringMatch } from '#shared/authz/policy.ts';
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
  return rules.some(rule =>
    rule.clauses.some(clause => clause.matches.some(match => names(match, principal))),
  );
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
