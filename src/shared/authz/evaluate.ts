import { inRanges } from '../workload/cidr.ts';
import { lenientPath, normalizePath } from '../route/path.ts';
import { queryValues } from '../route/query.ts';
import type {
  CompiledMatch,
  CompiledPolicy,
  CompiledPolicySet,
  CompiledRule,
  PatternedFields,
} from './compile.ts';
import type { AuthzConnection } from './connection.ts';
import { BAD_PATH, NO_DENY_MATCHED, NO_POLICY, noneAllowed, TOO_LONG, type Decision } from './decision.ts';
import { type HttpSubject, matchesHttp } from './http-match.ts';
import type { PolicyAction, ServiceAccountMatch } from './policy.ts';
import { MAX_TEXT_CHARS } from '../route/regex/automaton.ts';
import { type AuthzRequest, someHeaderValue } from './request.ts';
import { matchesAny } from './string-match.ts';
import type { TokenIdentity } from './token-identity.ts';

/**
 * Any DENY that matches denies; else, with no ALLOW policy applying, allow; else some ALLOW must match. Dry-run policies
 * have no say (`evaluateDryRun`), nor have CUSTOM ones about requests (`customProviders`). Pure and synchronous; without
 * policies it allocates nothing.
 *
 * @param request undefined for a connection that is not taken apart into requests. An ALLOW with HTTP fields then does
 * not match, a DENY with HTTP fields is compared without them, and a CUSTOM is a DENY: all err on the strict side. So it is
 * with server names where the connection's is not known. A request that is read came without TLS of its own.
 * @param token the request's, verified
 */
export function evaluate(
  policies: CompiledPolicySet,
  connection: AuthzConnection,
  request?: AuthzRequest,
  token?: TokenIdentity,
): Decision {
  const { deny, allow, custom } = policies;
  const denying = request === undefined && custom.length > 0 ? [...deny, ...custom] : deny;
  const isOpen = denying.length === 0 && allow.length === 0;
  if (isOpen && policies.patterned === undefined) return NO_POLICY;
  const subject = request === undefined ? undefined : subjectOf(connection, request, token);
  if (subject !== undefined && isTooLong(policies.patterned, subject)) return TOO_LONG;
  if (isOpen) return NO_POLICY;
  if (subject !== undefined && subject.path === undefined) return BAD_PATH;
  const denied = firstMatch(denying, connection, subject);
  if (denied !== undefined) return denied;
  if (allow.length === 0) return NO_DENY_MATCHED;
  const allowed = firstMatch(allow, connection, subject);
  return (
    allowed ??
    noneAllowed(
      allow.map(policy => policy.name),
      connection,
    )
  );
}

/** A pattern never matches what is over its bound: a request made long on purpose would get past the DENY. */
function isTooLong(patterned: PatternedFields | undefined, { path, request }: HttpSubject): boolean {
  if (patterned === undefined) return false;
  if (patterned.path && path !== undefined && path.length > MAX_TEXT_CHARS) return true;
  const isLong = (value: string | undefined): boolean => value !== undefined && value.length > MAX_TEXT_CHARS;
  if (patterned.headers.some(name => someHeaderValue(request.headers, name, isLong))) return true;
  return patterned.queryParams.some(name => queryValues(request.path, name).some(isLong));
}

/** Who has to be asked about a request, each once, in the order of the policies. */
export function customProviders(
  { custom }: CompiledPolicySet,
  connection: AuthzConnection,
  request: AuthzRequest,
  token: TokenIdentity | undefined,
): readonly string[] {
  const subject = subjectOf(connection, request, token);
  const matching = custom.filter(policy => firstMatch([policy], connection, subject) !== undefined);
  return [...new Set(matching.map(({ provider }) => provider))];
}

/** The AUDIT policies that want to be told of a request. */
export function matchingAudits(
  { audit }: CompiledPolicySet,
  connection: AuthzConnection,
  request: AuthzRequest,
  token: TokenIdentity | undefined,
): readonly string[] {
  if (audit.length === 0) return [];
  const subject = subjectOf(connection, request, token);
  const matching = audit.filter(policy => firstMatch([policy], connection, subject) !== undefined);
  return matching.map(({ name }) => name);
}

function subjectOf(
  connection: AuthzConnection,
  request: AuthzRequest,
  token: TokenIdentity | undefined,
): HttpSubject {
  const path = normalizePath(request.path);
  return { connection, request, path, lenient: path === undefined ? undefined : lenientPath(path), token };
}

/**
 * What `evaluate` would say if the dry-run policies were enforced as well, to be logged where it differs.
 * @returns undefined when no dry-run policy applies.
 */
export function evaluateDryRun(
  policies: CompiledPolicySet,
  connection: AuthzConnection,
  request?: AuthzRequest,
  token?: TokenIdentity,
): Decision | undefined {
  return policies.dryRun === undefined ? undefined : evaluate(policies.dryRun, connection, request, token);
}

function firstMatch(
  policies: readonly CompiledPolicy[],
  connection: AuthzConnection,
  subject: HttpSubject | undefined,
): Decision | undefined {
  for (const policy of policies) {
    for (const rule of policy.rules) {
      if (matchesRule(policy.action, rule, connection, subject)) return rule.decision;
    }
  }
  return undefined;
}

function matchesRule(
  action: PolicyAction,
  rule: CompiledRule,
  connection: AuthzConnection,
  subject: HttpSubject | undefined,
): boolean {
  for (const clause of rule.clauses) {
    let any = false;
    for (const match of clause) {
      if (!matchesConnection(match, connection)) continue;
      const serverName = subject === undefined ? connection.serverName : '';
      if (!matchesServerName(match, serverName, action)) continue;
      if (match.http === undefined) any = true;
      else if (subject === undefined) any = action !== 'allow';
      else any = matchesHttp(match.http, subject, action);
      if (any) break;
    }
    if (!any) return false;
  }
  return true;
}

function matchesConnection(match: CompiledMatch, connection: AuthzConnection): boolean {
  return matchesSource(match, connection) && matchesAddresses(match, connection);
}

function matchesSource(match: CompiledMatch, c: AuthzConnection): boolean {
  const { namespaces, notNamespaces, principals, notPrincipals, serviceAccounts, notServiceAccounts } = match;
  const { notTrustDomains, trustDomains } = match;
  if (principals !== undefined && !matchesAny(principals, c.principal)) return false;
  if (notPrincipals !== undefined && matchesAny(notPrincipals, c.principal)) return false;
  if (trustDomains !== undefined && !matchesAny(trustDomains, c.trustDomain)) return false;
  if (notTrustDomains !== undefined && matchesAny(notTrustDomains, c.trustDomain)) return false;
  if (namespaces !== undefined && !matchesAny(namespaces, c.namespace)) return false;
  if (notNamespaces !== undefined && matchesAny(notNamespaces, c.namespace)) return false;
  if (serviceAccounts !== undefined && !hasAccount(serviceAccounts, c)) return false;
  return notServiceAccounts === undefined || !hasAccount(notServiceAccounts, c);
}

function matchesAddresses(match: CompiledMatch, c: AuthzConnection): boolean {
  const { sourceIps, notSourceIps, destinationIps, notDestinationIps } = match;
  const { destinationPorts, notDestinationPorts } = match;
  if (sourceIps !== undefined && !inRanges(sourceIps, c.sourceIpBytes)) return false;
  if (notSourceIps !== undefined && inRanges(notSourceIps, c.sourceIpBytes)) return false;
  if (destinationIps !== undefined && !inRanges(destinationIps, c.destinationIpBytes)) return false;
  if (notDestinationIps !== undefined && inRanges(notDestinationIps, c.destinationIpBytes)) return false;
  if (destinationPorts !== undefined && !destinationPorts.includes(c.destinationPort)) return false;
  return notDestinationPorts === undefined || !notDestinationPorts.includes(c.destinationPort);
}

function matchesServerName(
  { notServerNames, serverNames }: CompiledMatch,
  name: string | undefined,
  action: PolicyAction,
): boolean {
  if (serverNames === undefined && notServerNames === undefined) return true;
  if (name === undefined) return action !== 'allow';
  if (serverNames !== undefined && !matchesAny(serverNames, name)) return false;
  return notServerNames === undefined || !matchesAny(notServerNames, name);
}

function hasAccount(accounts: readonly ServiceAccountMatch[], c: AuthzConnection): boolean {
  for (const account of accounts) {
    if (account.serviceAccount === c.serviceAccount && account.namespace === c.namespace) return true;
  }
  return false;
}
