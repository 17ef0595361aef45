import {
  ANY_HTTP_REQUEST,
  type Clause,
  EMPTY_MATCH,
  type HttpMatch,
  type Rule,
} from '#shared/authz/policy.ts';
import { type ClientAuthorization, refusedBy } from './client-authorization.ts';
import { byPrecedence, type InboundMatch } from './inbound-route.ts';

/** Requests of a route, and who is let in to them beside those who may come to the Server. */
export interface AuthorizedRoute {
  readonly authorizations: readonly ClientAuthorization[];
  readonly matches: readonly InboundMatch[];
}

/** Each match is compared with those above it: the bound keeps a policy at a size that proxies can hold. */
export const MAX_MATCHES = 64;

/**
 * Whom a Server refuses, as rules of a DENY policy, which is to be for its port alone. With routes: who may not do what the
 * first of their matches that a request meets is about, and whatever meets none (Linkerd, from 2.12 on: no route found).
 */
export function serverRules(
  authorizations: readonly ClientAuthorization[],
  routes: readonly AuthorizedRoute[],
): readonly Rule[] {
  if (routes.length === 0) return refusing([], authorizations);
  const matches = routes
    .flatMap(route => route.matches.map(match => ({ route, match })))
    .sort((a, b) => byPrecedence(a.match, b.match));
  if (matches.length > MAX_MATCHES) return REFUSE_ALL;
  const rules = matches.flatMap(({ match, route }, index) => {
    // Of two matches of one route the same are let in: it does not matter which of them it is.
    const above = matches.slice(0, index).filter(other => other.route !== route);
    const clauses = [...met(match), ...above.flatMap(other => unmet(other.match))];
    return canHold(clauses) ? refusing(clauses, [...authorizations, ...route.authorizations]) : [];
  });
  const unmentioned = matches.flatMap(({ match }) => unmet(match));
  if (!canHold(unmentioned)) return rules;
  // Also where nothing is compared: a ztunnel, which sees no request, is to know that it depends on what is asked for.
  return [...rules, { clauses: unmentioned.length === 0 ? [ANY_REQUEST] : unmentioned }];
}

const ANY_REQUEST: Clause = { matches: [matchOf(ANY_HTTP_REQUEST)] };
const REFUSE_ALL: readonly Rule[] = [{ clauses: [] }];

function refusing(
  clauses: readonly Clause[],
  authorizations: readonly ClientAuthorization[],
): readonly Rule[] {
  const refusals = authorizations.map(refusedBy);
  if (refusals.includes('nobody')) return [];
  return [
    { clauses: [...clauses, ...refusals.flatMap(refusal => (typeof refusal === 'string' ? [] : refusal))] },
  ];
}

function met({ condition }: InboundMatch): readonly Clause[] {
  return condition.met === undefined ? [] : [{ matches: [matchOf(condition.met)] }];
}

function unmet({ condition }: InboundMatch): readonly Clause[] {
  return [{ matches: condition.unmet.map(matchOf) }];
}

/** A clause without alternatives holds for nothing. */
function canHold(clauses: readonly Clause[]): boolean {
  return clauses.every(({ matches }) => matches.length > 0);
}

function matchOf(http: HttpMatch): Clause['matches'][number] {
  return { ...EMPTY_MATCH, http };
}
