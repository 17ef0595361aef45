import type {
  AuthorizationPolicy,
  CidrMatch,
  HeaderValueMatch,
  HttpMatch,
  Match,
  PolicyAction,
  Rule,
} from '../authz/policy.ts';
import {
  checkPort,
  InvalidField,
  readBytes,
  readEnum,
  readFlag,
  readMessage,
  readMessages,
  readName,
  readNumber,
  readNumbers,
  readOptionalText,
  readText,
  readTexts,
  type WireFields,
  within,
} from './wire-fields.ts';
import { stringMatches, stringMatchToWire, textMatches } from './string-match-wire.ts';
import { ipBytes, ipText, prefixBits } from './workload-wire.ts';

/**
 * `istio.security.Authorization` (L4, for ztunnels) and `ambient.mesh.v1.AuthorizationPolicy` (with the HTTP part, for
 * waypoints) ↔ `AuthorizationPolicy`. The second wraps the first's `Match`.
 */

const SCOPES = ['global', 'namespace', 'workload_selector'] as const;
const L4_ACTIONS = ['allow', 'deny'] as const;
const ACTIONS = ['allow', 'deny', 'audit', 'custom'] as const;

/** @throws InvalidField */
export function authorizationFromWire(wire: WireFields): AuthorizationPolicy {
  return policyFromWire(wire, L4_ACTIONS, (match, namespace) =>
    matchFromWire(match, WITHOUT_WAYPOINT, namespace),
  );
}

/** @throws Error when the policy has a part for waypoints, which the receiver would silently drop. */
export function authorizationToWire(policy: AuthorizationPolicy): object {
  if (policy.action !== 'allow' && policy.action !== 'deny')
    throw new Error(
      `${policy.namespace}/${policy.name} has action ${policy.action}; ztunnels do not know it`,
    );
  return policyToWire(policy, match => {
    const asked = match.http === undefined ? WAYPOINT_FIELDS.find(field => match[field].length > 0) : 'http';
    if (asked !== undefined) {
      throw new Error(`${policy.namespace}/${policy.name} has ${asked}; it cannot be sent as an L4 policy`);
    }
    return matchToWire(match);
  });
}

/** @throws InvalidField */
export function httpAuthorizationFromWire(wire: WireFields): AuthorizationPolicy {
  return policyFromWire(wire, ACTIONS, (match, namespace) => {
    const http = readMessage(match, 'http');
    const connection = readMessage(match, 'connection') ?? {};
    const part: WaypointPart = {
      trustDomains: textMatches(match, 'trust_domains'),
      notTrustDomains: textMatches(match, 'not_trust_domains'),
      serverNames: textMatches(match, 'server_names'),
      notServerNames: textMatches(match, 'not_server_names'),
      http: http && httpMatchFromWire(http),
    };
    return matchFromWire(connection, part, namespace);
  });
}

export function httpAuthorizationToWire(policy: AuthorizationPolicy): object {
  const fields = policyToWire(policy, match => ({
    connection: matchToWire(match),
    trust_domains: match.trustDomains.map(stringMatchToWire),
    not_trust_domains: match.notTrustDomains.map(stringMatchToWire),
    server_names: match.serverNames.map(stringMatchToWire),
    not_server_names: match.notServerNames.map(stringMatchToWire),
    http: match.http && httpMatchToWire(match.http),
  }));
  return { ...fields, provider: policy.provider };
}

/** What `istio.security.Match` cannot say. */
type WaypointPart = Pick<Match, (typeof WAYPOINT_FIELDS)[number] | 'http'>;

const WAYPOINT_FIELDS = ['trustDomains', 'notTrustDomains', 'serverNames', 'notServerNames'] as const;

const WITHOUT_WAYPOINT: WaypointPart = {
  trustDomains: [],
  notTrustDomains: [],
  serverNames: [],
  notServerNames: [],
  http: undefined,
};

function policyFromWire(
  wire: WireFields,
  actions: readonly PolicyAction[],
  toMatch: (match: WireFields, namespace: string) => Match,
): AuthorizationPolicy {
  const namespace = readText(wire, 'namespace');
  const action = readEnum(wire, 'action', actions);
  const provider = readOptionalText(wire, 'provider');
  if (action === 'custom' && provider === undefined)
    throw new InvalidField('provider', 'is not set; action CUSTOM asks one');
  return {
    name: readName(wire, 'name'),
    namespace,
    scope: readEnum(wire, 'scope', SCOPES),
    action,
    rules: readMessages(wire, 'rules').map((rule, i) =>
      within(`rules[${i}]`, () => ruleFromWire(rule, match => toMatch(match, namespace))),
    ),
    dryRun: readFlag(wire, 'dry_run'),
    provider,
  };
}

function policyToWire(policy: AuthorizationPolicy, fromMatch: (match: Match) => object): object {
  return {
    name: policy.name,
    namespace: policy.namespace,
    scope: SCOPES.indexOf(policy.scope),
    action: ACTIONS.indexOf(policy.action),
    rules: policy.rules.map(rule => ({
      clauses: rule.clauses.map(clause => ({ matches: clause.matches.map(fromMatch) })),
    })),
    dry_run: policy.dryRun,
  };
}

function ruleFromWire(wire: WireFields, toMatch: (match: WireFields) => Match): Rule {
  return {
    clauses: readMessages(wire, 'clauses').map((clause, c) => ({
      matches: readMessages(clause, 'matches').map((match, m) =>
        within(`clauses[${c}].matches[${m}]`, () => toMatch(match)),
      ),
    })),
  };
}

function matchFromWire(wire: WireFields, part: WaypointPart, namespace: string): Match {
  return {
    namespaces: stringMatches(wire, 'namespaces'),
    notNamespaces: stringMatches(wire, 'not_namespaces'),
    serviceAccounts: serviceAccounts(wire, 'service_accounts', namespace),
    notServiceAccounts: serviceAccounts(wire, 'not_service_accounts', namespace),
    principals: stringMatches(wire, 'principals'),
    notPrincipals: stringMatches(wire, 'not_principals'),
    sourceIps: cidrs(wire, 'source_ips'),
    notSourceIps: cidrs(wire, 'not_source_ips'),
    destinationIps: cidrs(wire, 'destination_ips'),
    notDestinationIps: cidrs(wire, 'not_destination_ips'),
    destinationPorts: ports(wire, 'destination_ports'),
    notDestinationPorts: ports(wire, 'not_destination_ports'),
    ...part,
  };
}

function matchToWire(match: Match): object {
  return {
    namespaces: match.namespaces.map(stringMatchToWire),
    not_namespaces: match.notNamespaces.map(stringMatchToWire),
    service_accounts: match.serviceAccounts,
    not_service_accounts: match.notServiceAccounts,
    principals: match.principals.map(stringMatchToWire),
    not_principals: match.notPrincipals.map(stringMatchToWire),
    source_ips: match.sourceIps.map(cidrToWire),
    not_source_ips: match.notSourceIps.map(cidrToWire),
    destination_ips: match.destinationIps.map(cidrToWire),
    not_destination_ips: match.notDestinationIps.map(cidrToWire),
    destination_ports: match.destinationPorts,
    not_destination_ports: match.notDestinationPorts,
  };
}

function httpMatchFromWire(wire: WireFields): HttpMatch {
  return {
    hosts: textMatches(wire, 'hosts'),
    notHosts: textMatches(wire, 'not_hosts'),
    methods: textMatches(wire, 'methods'),
    notMethods: textMatches(wire, 'not_methods'),
    paths: textMatches(wire, 'paths'),
    notPaths: textMatches(wire, 'not_paths'),
    headers: readMessages(wire, 'headers').map(valueMatchFromWire),
    queryParams: readMessages(wire, 'query_params').map(valueMatchFromWire),
    requestPrincipals: textMatches(wire, 'request_principals'),
    notRequestPrincipals: textMatches(wire, 'not_request_principals'),
    remoteIps: cidrs(wire, 'remote_ips'),
    notRemoteIps: cidrs(wire, 'not_remote_ips'),
    claims: readMessages(wire, 'claims').map(c => ({
      claim: readTexts(c, 'claim'),
      values: textMatches(c, 'values'),
      notValues: textMatches(c, 'not_values'),
    })),
  };
}

/** Of a header or a parameter of the query. */
function valueMatchFromWire(wire: WireFields): HeaderValueMatch {
  return {
    name: readName(wire, 'name'),
    values: textMatches(wire, 'values'),
    notValues: textMatches(wire, 'not_values'),
  };
}

function valueMatchToWire({ name, notValues, values }: HeaderValueMatch): object {
  return {
    name,
    values: values.map(stringMatchToWire),
    not_values: notValues.map(stringMatchToWire),
  };
}

function httpMatchToWire(http: HttpMatch): object {
  return {
    hosts: http.hosts.map(stringMatchToWire),
    not_hosts: http.notHosts.map(stringMatchToWire),
    methods: http.methods.map(stringMatchToWire),
    not_methods: http.notMethods.map(stringMatchToWire),
    paths: http.paths.map(stringMatchToWire),
    not_paths: http.notPaths.map(stringMatchToWire),
    headers: http.headers.map(valueMatchToWire),
    query_params: http.queryParams.map(valueMatchToWire),
    request_principals: http.requestPrincipals.map(stringMatchToWire),
    not_request_principals: http.notRequestPrincipals.map(stringMatchToWire),
    remote_ips: http.remoteIps.map(cidrToWire),
    not_remote_ips: http.notRemoteIps.map(cidrToWire),
    claims: http.claims.map(c => ({
      claim: c.claim,
      values: c.values.map(stringMatchToWire),
      not_values: c.notValues.map(stringMatchToWire),
    })),
  };
}

function serviceAccounts(wire: WireFields, field: string, policyNamespace: string): Match['serviceAccounts'] {
  return readMessages(wire, field).map((account, i) =>
    within(`${field}[${i}]`, () => ({
      namespace: readText(account, 'namespace') || policyNamespace,
      serviceAccount: readName(account, 'serviceAccount'),
    })),
  );
}

export function cidrs(wire: WireFields, field: string): readonly CidrMatch[] {
  return readMessages(wire, field).map((cidr, i) =>
    within(`${field}[${i}]`, () => {
      const bytes = readBytes(cidr, 'address');
      const ip = ipText(bytes, 'address');
      return { ip, prefixLength: prefixBits(readNumber(cidr, 'length'), bytes, ip) };
    }),
  );
}

export function cidrToWire(cidr: CidrMatch): object {
  return { address: ipBytes(cidr.ip), length: cidr.prefixLength };
}

function ports(wire: WireFields, field: string): readonly number[] {
  return readNumbers(wire, field).map((port, i) => checkPort(port, `${field}[${i}]`, 0));
}
