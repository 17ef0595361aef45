/**
 * Authorization policy, one model for both tiers. The L4 fields are those of `istio.security.Authorization`; the `http`
 * part exists only at a waypoint. Evaluation (`evaluate.ts`) is pure.
 *
 * A policy matches if any rule matches; a rule if all its clauses match; a clause if any of its matches match; a match if
 * all of its set fields match; a field if any of its values match (`not…`: none). An empty rule list matches nothing; an
 * empty match matches everything.
 */
export interface AuthorizationPolicy {
  readonly name: string;
  readonly namespace: string;
  readonly scope: PolicyScope;
  readonly action: 'allow' | 'deny';
  readonly rules: readonly Rule[];
  /** Evaluated and logged, never enforced. */
  readonly dryRun: boolean;
}

export type PolicyScope = 'global' | 'namespace' | 'workload_selector';

export interface Rule {
  readonly clauses: readonly Clause[];
}

export interface Clause {
  readonly matches: readonly Match[];
}

/** Every field is a list; an empty list is a field that is not set. */
export interface Match {
  readonly namespaces: readonly StringMatch[];
  readonly notNamespaces: readonly StringMatch[];
  readonly serviceAccounts: readonly ServiceAccountMatch[];
  readonly notServiceAccounts: readonly ServiceAccountMatch[];
  readonly principals: readonly StringMatch[];
  readonly notPrincipals: readonly StringMatch[];
  readonly sourceIps: readonly CidrMatch[];
  readonly notSourceIps: readonly CidrMatch[];
  readonly destinationIps: readonly CidrMatch[];
  readonly notDestinationIps: readonly CidrMatch[];
  readonly destinationPorts: readonly number[];
  readonly notDestinationPorts: readonly number[];
  /** L7 fields; undefined at L4. */
  readonly http: HttpMatch | undefined;
}

export interface HttpMatch {
  readonly hosts: readonly StringMatch[];
  readonly notHosts: readonly StringMatch[];
  readonly methods: readonly StringMatch[];
  readonly notMethods: readonly StringMatch[];
  readonly paths: readonly StringMatch[];
  readonly notPaths: readonly StringMatch[];
  readonly headers: readonly HeaderValueMatch[];
}

/** `when: request.headers[name]`. */
export interface HeaderValueMatch {
  readonly name: string;
  readonly values: readonly StringMatch[];
  readonly notValues: readonly StringMatch[];
}

export type StringMatch =
  | { readonly kind: 'exact'; readonly value: string }
  | { readonly kind: 'prefix'; readonly value: string }
  | { readonly kind: 'suffix'; readonly value: string }
  | { readonly kind: 'presence' };

/** An empty `namespace` is the policy's own namespace (resolved where the policy is parsed). */
export interface ServiceAccountMatch {
  readonly namespace: string;
  readonly serviceAccount: string;
}

export interface CidrMatch {
  readonly ip: string;
  readonly prefixLength: number;
}

/** The resource name of a policy on the wire. */
export function policyName(policy: Pick<AuthorizationPolicy, 'namespace' | 'name'>): string {
  return `${policy.namespace}/${policy.name}`;
}

export const EMPTY_MATCH: Match = Object.freeze({
  namespaces: [],
  notNamespaces: [],
  serviceAccounts: [],
  notServiceAccounts: [],
  principals: [],
  notPrincipals: [],
  sourceIps: [],
  notSourceIps: [],
  destinationIps: [],
  notDestinationIps: [],
  destinationPorts: [],
  notDestinationPorts: [],
  http: undefined,
});
