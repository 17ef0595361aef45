import { makeCidr, type Cidr } from '../workload/cidr.ts';
import { withoutScheme } from './connection.ts';
import type { Decision } from './decision.ts';
import { allowedBy, deniedBy } from './decision.ts';
import { policyName } from './policy.ts';
import type {
  AuthorizationPolicy,
  CidrMatch,
  ClaimValueMatch,
  HeaderValueMatch,
  HttpMatch,
  Match,
  PolicyAction,
  ServiceAccountMatch,
  StringMatch,
} from './policy.ts';
import { compileStrings, type StringMatcher } from './string-match.ts';

/** The policies that apply to one destination, taken apart so that evaluation only compares. Immutable. */
export interface CompiledPolicySet {
  readonly deny: readonly CompiledPolicy[];
  readonly allow: readonly CompiledPolicy[];
  /** About requests that match, somebody else is asked (`customProviders`). */
  readonly custom: readonly CompiledPolicy[];
  /** Requests that match are told of, and nothing else (`matchingAudits`). */
  readonly audit: readonly CompiledPolicy[];
  /** What of a request some of them compare with regular expressions; undefined: nothing. */
  readonly patterned: PatternedFields | undefined;
  /** Some of them ask for the server name of a TLS connection: it has to be read before they are evaluated. */
  readonly asksServerName: boolean;
  /** The set as it would be with the dry-run policies enforced; undefined when there are none. */
  readonly dryRun: CompiledPolicySet | undefined;
}

export interface PatternedFields {
  readonly path: boolean;
  /** Names of headers. */
  readonly headers: readonly string[];
  /** Names of parameters of the query. */
  readonly queryParams: readonly string[];
}

export interface CompiledPolicy {
  readonly name: string;
  readonly action: PolicyAction;
  /** Of action `custom`: who is asked. */
  readonly provider: string;
  readonly rules: readonly CompiledRule[];
}

export interface CompiledRule {
  /** Made beforehand: answering costs no allocation. */
  readonly decision: Decision;
  readonly clauses: readonly (readonly CompiledMatch[])[];
}

/** A field that is not set is undefined. */
export interface CompiledMatch {
  readonly namespaces: StringMatcher | undefined;
  readonly notNamespaces: StringMatcher | undefined;
  /** `<namespace>/<service account>`. */
  readonly serviceAccounts: readonly ServiceAccountMatch[] | undefined;
  readonly notServiceAccounts: readonly ServiceAccountMatch[] | undefined;
  readonly principals: StringMatcher | undefined;
  readonly notPrincipals: StringMatcher | undefined;
  readonly sourceIps: readonly Cidr[] | undefined;
  readonly notSourceIps: readonly Cidr[] | undefined;
  readonly destinationIps: readonly Cidr[] | undefined;
  readonly notDestinationIps: readonly Cidr[] | undefined;
  readonly destinationPorts: readonly number[] | undefined;
  readonly notDestinationPorts: readonly number[] | undefined;
  readonly trustDomains: StringMatcher | undefined;
  readonly notTrustDomains: StringMatcher | undefined;
  readonly serverNames: StringMatcher | undefined;
  readonly notServerNames: StringMatcher | undefined;
  readonly http: CompiledHttpMatch | undefined;
}

export interface CompiledHttpMatch {
  readonly hosts: HostMatcher | undefined;
  readonly notHosts: HostMatcher | undefined;
  readonly methods: StringMatcher | undefined;
  readonly notMethods: StringMatcher | undefined;
  readonly paths: StringMatcher | undefined;
  readonly notPaths: StringMatcher | undefined;
  readonly headers: readonly CompiledValueMatch[];
  readonly queryParams: readonly CompiledValueMatch[];
  readonly requestPrincipals: StringMatcher | undefined;
  readonly notRequestPrincipals: StringMatcher | undefined;
  readonly remoteIps: readonly Cidr[] | undefined;
  readonly notRemoteIps: readonly Cidr[] | undefined;
  readonly claims: readonly CompiledClaimMatch[];
}

/** Values that name a port are compared with the whole authority, the others with the host alone. */
export interface HostMatcher {
  readonly withPort: StringMatcher | undefined;
  readonly hostOnly: StringMatcher | undefined;
}

/** Of a header or a parameter of the query. */
export interface CompiledValueMatch {
  readonly name: string;
  readonly values: StringMatcher | undefined;
  readonly notValues: StringMatcher | undefined;
}

export interface CompiledClaimMatch {
  readonly claim: readonly string[];
  readonly values: StringMatcher | undefined;
  readonly notValues: StringMatcher | undefined;
}

/** Compile once per policy version and destination; `policies` are those that apply there (`MeshView.policiesFor`). */
export function compile(policies: readonly AuthorizationPolicy[]): CompiledPolicySet {
  const enforced = policies.filter(policy => !policy.dryRun).map(compilePolicy);
  const dryRun = policies.filter(policy => policy.dryRun).map(compilePolicy);
  const whole = dryRun.length === 0 ? undefined : makeSet([...enforced, ...dryRun], undefined);
  return makeSet(enforced, whole);
}

function makeSet(
  policies: readonly CompiledPolicy[],
  dryRun: CompiledPolicySet | undefined,
): CompiledPolicySet {
  const of = (action: PolicyAction) => policies.filter(policy => policy.action === action);
  const byAction = { deny: of('deny'), allow: of('allow'), custom: of('custom'), audit: of('audit') };
  const asksServerName = dryRun?.asksServerName === true || matchesOf(policies).some(asksForServerName);
  return { ...byAction, patterned: patternedFields(policies), asksServerName, dryRun };
}

function matchesOf(policies: readonly CompiledPolicy[]): readonly CompiledMatch[] {
  return policies.flatMap(({ rules }) => rules.flatMap(({ clauses }) => clauses.flat()));
}

function asksForServerName({ notServerNames, serverNames }: CompiledMatch): boolean {
  return serverNames !== undefined || notServerNames !== undefined;
}

function patternedFields(policies: readonly CompiledPolicy[]): PatternedFields | undefined {
  const http = matchesOf(policies).flatMap(match => match.http ?? []);
  const path = http.some(({ notPaths, paths }) => isPatterned(paths) || isPatterned(notPaths));
  const headers = patternedNames(http.flatMap(match => match.headers));
  const queryParams = patternedNames(http.flatMap(match => match.queryParams));
  if (!path && headers.length === 0 && queryParams.length === 0) return undefined;
  return { path, headers, queryParams };
}

function patternedNames(matches: readonly CompiledValueMatch[]): readonly string[] {
  const patterned = matches.filter(({ notValues, values }) => isPatterned(values) || isPatterned(notValues));
  return [...new Set(patterned.map(({ name }) => name))];
}

function isPatterned(matcher: StringMatcher | undefined): boolean {
  return matcher !== undefined && matcher.patterns.some(({ kind }) => kind === 'regex');
}

function compilePolicy(policy: AuthorizationPolicy): CompiledPolicy {
  const name = policyName(policy);
  const decide = policy.action === 'allow' ? allowedBy : deniedBy;
  return {
    name,
    action: policy.action,
    provider: policy.provider ?? '',
    rules: policy.rules.map((rule, index) => ({
      decision: decide(name, index),
      clauses: rule.clauses.map(clause => clause.matches.map(match => compileMatch(match, policy.namespace))),
    })),
  };
}

function compileMatch(match: Match, ownNamespace: string): CompiledMatch {
  return {
    namespaces: compileStrings(match.namespaces),
    notNamespaces: compileStrings(match.notNamespaces),
    serviceAccounts: compileAccounts(match.serviceAccounts, ownNamespace),
    notServiceAccounts: compileAccounts(match.notServiceAccounts, ownNamespace),
    principals: compileStrings(match.principals, withoutScheme),
    notPrincipals: compileStrings(match.notPrincipals, withoutScheme),
    sourceIps: compileCidrs(match.sourceIps),
    notSourceIps: compileCidrs(match.notSourceIps),
    destinationIps: compileCidrs(match.destinationIps),
    notDestinationIps: compileCidrs(match.notDestinationIps),
    destinationPorts: unlessEmpty(match.destinationPorts),
    notDestinationPorts: unlessEmpty(match.notDestinationPorts),
    trustDomains: compileStrings(match.trustDomains),
    notTrustDomains: compileStrings(match.notTrustDomains),
    serverNames: compileStrings(match.serverNames, lowerCase),
    notServerNames: compileStrings(match.notServerNames, lowerCase),
    http: match.http === undefined ? undefined : compileHttp(match.http),
  };
}

function compileHttp(http: HttpMatch): CompiledHttpMatch {
  return {
    hosts: compileHosts(http.hosts),
    notHosts: compileHosts(http.notHosts),
    methods: compileStrings(http.methods),
    notMethods: compileStrings(http.notMethods),
    paths: compileStrings(http.paths),
    notPaths: compileStrings(http.notPaths),
    headers: http.headers.map(header => compileValues(header.name.toLowerCase(), header)),
    queryParams: http.queryParams.map(parameter => compileValues(parameter.name, parameter)),
    requestPrincipals: compileStrings(http.requestPrincipals),
    notRequestPrincipals: compileStrings(http.notRequestPrincipals),
    remoteIps: compileCidrs(http.remoteIps),
    notRemoteIps: compileCidrs(http.notRemoteIps),
    claims: http.claims.map(compileClaim),
  };
}

function compileValues(
  name: string,
  { notValues, values }: Pick<HeaderValueMatch, 'notValues' | 'values'>,
): CompiledValueMatch {
  return { name, values: compileStrings(values), notValues: compileStrings(notValues) };
}

function compileClaim({ claim, notValues, values }: ClaimValueMatch): CompiledClaimMatch {
  return { claim, values: compileStrings(values), notValues: compileStrings(notValues) };
}

function compileHosts(hosts: readonly StringMatch[]): HostMatcher | undefined {
  if (hosts.length === 0) return undefined;
  return {
    withPort: compileStrings(hosts.filter(namesPort), lowerCase),
    hostOnly: compileStrings(
      hosts.filter(host => !namesPort(host)),
      lowerCase,
    ),
  };
}

function lowerCase(value: string): string {
  return value.toLowerCase();
}

function namesPort(host: StringMatch): boolean {
  return 'value' in host && /:\d*$/.test(host.value) && !host.value.endsWith('::');
}

function compileAccounts(
  accounts: readonly ServiceAccountMatch[],
  ownNamespace: string,
): readonly ServiceAccountMatch[] | undefined {
  return unlessEmpty(
    accounts.map(account => (account.namespace === '' ? { ...account, namespace: ownNamespace } : account)),
  );
}

/**
 * A range that does not parse never reaches this far (the boundary refuses it). Should one, it stays in the list as a
 * range that holds nothing, so that the field does not turn into one that is not set.
 */
function compileCidrs(ranges: readonly CidrMatch[]): readonly Cidr[] | undefined {
  return unlessEmpty(ranges.map(range => makeCidr(range.ip, range.prefixLength) ?? HOLDS_NOTHING));
}

const HOLDS_NOTHING: Cidr = { bytes: new Uint8Array(0), prefixLength: 0 };

function unlessEmpty<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}
