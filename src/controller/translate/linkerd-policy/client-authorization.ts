import {
  type Clause,
  type CidrMatch,
  EMPTY_MATCH,
  type Match,
  type StringMatch,
} from '#shared/authz/policy.ts';

/** Who is let in: whoever meets all of the requirements. None: everybody. */
export type ClientAuthorization = readonly Requirement[];

/** One of its values is enough; without any, nobody meets it. */
export type Requirement =
  | { readonly kind: 'identity'; readonly principals: readonly StringMatch[] }
  | { readonly kind: 'network'; readonly networks: readonly Network[] };

export interface Network {
  readonly range: CidrMatch;
  readonly except: readonly CidrMatch[];
}

export const EVERYBODY: ClientAuthorization = [];
export const ANY_IDENTITY: Requirement = { kind: 'identity', principals: [{ kind: 'presence' }] };

/** What lets in whoever it is for, and what refuses all others. */
export type Refusal = 'nobody' | 'everybody' | readonly Clause[];

/**
 * Whom an authorization does not let in, as clauses of a DENY rule, all of which must hold. Of a requirement that is not met one is
 * enough; of networks none may hold the source, and a source in `except` is not in the network.
 */
export function refusedBy(authorization: ClientAuthorization): Refusal {
  if (authorization.length === 0) return 'nobody';
  const alternatives = authorization.map(unmet);
  if (alternatives.includes(ALWAYS)) return 'everybody';
  // (a and b) or c is (a or c) and (b or c): a clause is a list of alternatives, and a rule one of clauses.
  const combined = alternatives.reduce<readonly Match[][]>(
    (clauses, terms) => clauses.flatMap(clause => terms.map(term => [...clause, ...term])),
    [[]],
  );
  return combined.map(matches => ({ matches }));
}

/** All of the lists must have a match that holds. */
type Unmet = readonly (readonly Match[])[];

const ALWAYS: Unmet = [];

function unmet(requirement: Requirement): Unmet {
  if (requirement.kind === 'identity')
    return requirement.principals.length === 0
      ? ALWAYS
      : [[{ ...EMPTY_MATCH, notPrincipals: requirement.principals }]];
  const whole = requirement.networks.filter(({ except }) => except.length === 0).map(({ range }) => range);
  const holed = requirement.networks.filter(({ except }) => except.length > 0);
  return [
    ...(whole.length > 0 ? [[{ ...EMPTY_MATCH, notSourceIps: whole }]] : []),
    ...holed.map(({ except, range }) => [
      { ...EMPTY_MATCH, notSourceIps: [range] },
      { ...EMPTY_MATCH, sourceIps: except },
    ]),
  ];
}
