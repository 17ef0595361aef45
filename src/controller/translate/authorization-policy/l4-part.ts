import type { Clause, Match, PolicyAction, Rule } from '#shared/authz/policy.ts';
import { inPrincipals } from './trust-domains.ts';

export interface L4Rules {
  readonly rules: readonly Rule[];
  /** Indices of rules that ask for what only a waypoint can compare: HTTP attributes, server names, some trust domains. */
  readonly changed: readonly number[];
}

/**
 * What of a policy a ztunnel can hold against a connection, which it never reads. An ALLOW rule that asks for HTTP attributes
 * or the server name of TLS is dropped: it allows nothing. A DENY rule loses those attributes and denies more, unless nothing is left of it: then it is dropped, rather
 * than deny everything.
 */
export function l4Rules(action: PolicyAction, rules: readonly Rule[]): L4Rules {
  const kept: Rule[] = [];
  const changed: number[] = [];
  rules.map(inPrincipals).forEach((rule, index) => {
    if (!rule.clauses.some(asksWaypoint)) {
      kept.push(rule);
      return;
    }
    changed.push(index);
    const clauses = rule.clauses.map(l4Clause).filter(clause => clause !== undefined);
    if (action === 'deny' && clauses.length > 0) kept.push({ clauses });
  });
  return { rules: kept, changed };
}

function asksWaypoint(clause: Clause): boolean {
  return clause.matches.some(asksMore);
}

const WAYPOINT_FIELDS = ['trustDomains', 'notTrustDomains', 'serverNames', 'notServerNames'] as const;

function asksMore(match: Match): boolean {
  return match.http !== undefined || WAYPOINT_FIELDS.some(field => match[field].length > 0);
}

/** Undefined when some alternative asked for such attributes alone: without them it always matches, and so the clause. */
function l4Clause(clause: Clause): Clause | undefined {
  if (clause.matches.some(match => asksMore(match) && isEmpty(match))) return undefined;
  const none = {
    http: undefined,
    trustDomains: [],
    notTrustDomains: [],
    serverNames: [],
    notServerNames: [],
  };
  return { matches: clause.matches.map(match => ({ ...match, ...none })) };
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
