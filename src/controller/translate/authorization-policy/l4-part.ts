import type { Clause, Match, PolicyAction, Rule } from '#shared/authz/policy.ts';

export interface L4Rules {
  readonly rules: readonly Rule[];
  /** Indices of rules that ask for HTTP attributes. */
  readonly changed: readonly number[];
}

/**
 * What of a policy can be held against a connection. An ALLOW rule that asks for HTTP attributes is dropped: it allows
 * nothing. A DENY rule loses those attributes and denies more, unless nothing is left of it: then it is dropped, rather
 * than deny everything.
 */
export function l4Rules(action: PolicyAction, rules: readonly Rule[]): L4Rules {
  const kept: Rule[] = [];
  const changed: number[] = [];
  rules.forEach((rule, index) => {
    if (!rule.clauses.some(asksHttp)) {
      kept.push(rule);
      return;
    }
    changed.push(index);
    const clauses = rule.clauses.map(withoutHttp).filter(clause => clause !== undefined);
    if (action === 'deny' && clauses.length > 0) kept.push({ clauses });
  });
  return { rules: kept, changed };
}

function asksHttp(clause: Clause): boolean {
  return clause.matches.some(match => match.http !== undefined);
}

/** Undefined when some alternative asked for HTTP attributes alone: without them it always matches, and so the clause. */
function withoutHttp(clause: Clause): Clause | undefined {
  if (clause.matches.some(match => match.http !== undefined && isEmpty(match))) return undefined;
  return { matches: clause.matches.map(match => ({ ...match, http: undefined })) };
}

const L4_FIELDS = [
  'namespaces',
  'notNamespaces',
  'serviceAccounts',
  'notServiceAccounts',
  'principals',
  'notPrincipals',
  'sourceIps',
  'notSourceIps',
  'destinationIps',
  'notDestinationIps',
  'destinationPorts',
  'notDestinationPorts',
] as const;

function isEmpty(match: Match): boolean {
  return L4_FIELDS.every(field => match[field].length === 0);
}
