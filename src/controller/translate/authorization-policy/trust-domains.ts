import type { Match, Rule, StringMatch } from '#shared/authz/policy.ts';

/** A rule with trust domains as principals, wherever those say the same. */
export function inPrincipals(rule: Rule): Rule {
  return { clauses: rule.clauses.map(({ matches }) => ({ matches: matches.map(trustDomainsAsPrincipals) })) };
}

/**
 * A match without trust domains that means the same, for ztunnels, which compare principals whole.
 * @returns the match itself where principals cannot say it: ends of trust domains, and trust domains beside principals
 */
function trustDomainsAsPrincipals(match: Match): Match {
  const { notPrincipals, notTrustDomains, principals, trustDomains } = match;
  if (trustDomains.length + notTrustDomains.length === 0) return match;
  // Both must hold, and a list holds when one of it does.
  if (trustDomains.length > 0 && principals.length > 0) return match;
  const wanted = trustDomains.map(asPrincipal);
  const unwanted = notTrustDomains.map(asPrincipal);
  if ([...wanted, ...unwanted].includes(undefined)) return match;
  return {
    ...match,
    principals: [...principals, ...wanted.filter(one => one !== undefined)],
    notPrincipals: [...notPrincipals, ...unwanted.filter(one => one !== undefined)],
    trustDomains: [],
    notTrustDomains: [],
  };
}

function asPrincipal(match: StringMatch): StringMatch | undefined {
  switch (match.kind) {
    case 'exact':
      return { kind: 'prefix', value: `${match.value}/` };
    case 'prefix':
    case 'presence':
      return match;
    default:
      return undefined;
  }
}
