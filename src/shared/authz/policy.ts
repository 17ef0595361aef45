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
  readonly action: PolicyAction;
  readonly rules: readonly Rule[];
  /** Evaluated and logged, never enforced. */
  readonly dryRun: boolean;
  /** Of action `custom`: which of `ServiceRoutes.authorizers` is asked about requests that match. */
  readonly provider: string | undefined;
}

/** `audit` and `custom` exist at waypoints only. */
export type PolicyAction = 'allow' | 'deny' | 'audit' | 'custom';

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
  /** Of the identity; at waypoints only (a ztunnel's policy says it by `principals`). */
  readonly trustDomains: readonly StringMatch[];
  readonly notTrustDomains: readonly StringMatch[];
  /** Server names (SNI) that a client asks for in a TLS connection that is passed through; at waypoints only. */
  readonly serverNames: readonly StringMatch[];
  readonly notServerNames: readonly StringMatch[];
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
  readonly queryParams: readonly QueryValueMatch[];
  /** `<issuer>/<subject>` of a verified token. */
  readonly requestPrincipals: readonly StringMatch[];
  readonly notRequestPrincipals: readonly StringMatch[];
  /** The address of the client as proxies in front of the mesh report it; without them the source's. */
  readonly remoteIps: readonly CidrMatch[];
  readonly notRemoteIps: readonly CidrMatch[];
  readonly claims: readonly ClaimValueMatch[];
}

/** `when: request.headers[name]`. */
export interface HeaderValueMatch {
  readonly name: string;
  readonly values: readonly StringMatch[];
  readonly notValues: readonly StringMatch[];
}

/**
 * A parameter of the query. Servers differ in which value they take of one that comes several times: what denies matches if any
 * of them is one of `values`, or is none of `notValues`; what allows only if all of them are, or none is.
 */
export interface QueryValueMatch {
  readonly name: string;
  readonly values: readonly StringMatch[];
  readonly notValues: readonly StringMatch[];
}

/** `when: request.auth.claims[claim]`, of a verified token. A claim that is a list matches when any item does. */
export interface ClaimValueMatch {
  /** Names of nested objects on the way to the claim. */
  readonly claim: readonly string[];
  readonly values: readonly StringMatch[];
  readonly notValues: readonly StringMatch[];
}

/**
 * `regex` (RE2 syntax, the whole value), `contains`, `template`, `any` and `ignoreCase` are for HTTP attributes alone:
 * ztunnels do not know them. In a `template`, `{*}` stands for one path segment and `{**}` for any number of them.
 * `presence` is a value that is not empty, `any` an empty one too.
 */
export type StringMatch =
  | { readonly kind: 'exact' | 'prefix' | 'suffix'; readonly value: string; readonly ignoreCase?: true }
  | { readonly kind: 'contains'; readonly value: string; readonly ignoreCase?: true }
  | { readonly kind: 'regex' | 'template'; readonly value: string }
  | { readonly kind: 'presence' | 'any' };

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
  trustDomains: [],
  notTrustDomains: [],
  serverNames: [],
  notServerNames: [],
  http: undefined,
});

export const ANY_HTTP_REQUEST: HttpMatch = Object.freeze({
  hosts: [],
  notHosts: [],
  methods: [],
  notMethods: [],
  paths: [],
  notPaths: [],
  headers: [],
  queryParams: [],
  requestPrincipals: [],
  notRequestPrincipals: [],
  remoteIps: [],
  notRemoteIps: [],
  claims: [],
});
