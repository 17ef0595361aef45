import { cidrContains, type Cidr } from '../workload/cidr.ts';
import type { IpBytes } from '../workload/ip.ts';
import { normalizePath } from '../route/path.ts';
import type { CompiledMatch, CompiledPolicy, CompiledPolicySet, CompiledRule } from './compile.ts';
import type { AuthzConnection } from './connection.ts';
import { BAD_PATH, NO_DENY_MATCHED, NO_POLICY, noneAllowed, type Decision } from './decision.ts';
import { matchesHttp } from './http-match.ts';
import type { ServiceAccountMatch } from './policy.ts';
import type { AuthzRequest } from './request.ts';
import { matchesAny } from './string-match.ts';

/**
 * Any DENY that matches denies; else, with no ALLOW policy applying, allow; else some ALLOW must match. Dry-run policies
 * have no say (`evaluateDryRun`). Pure and synchronous; allocates only the text of a refusal for want of an ALLOW.
 *
 * @param request undefined for a connection that is not taken apart into requests. An ALLOW with HTTP fields then does
 * not match, a DENY with HTTP fields is compared without them: both err on the strict side.
 */
export function evaluate(
  policies: CompiledPolicySet,
  connection: AuthzConnection,
  request?: AuthzRequest,
): Decision {
  const { deny, allow } = policies;
  if (deny.length === 0 && allow.length === 0) return NO_POLICY;
  const path = request === undefined ? undefined : normalizePath(request.path);
  if (request !== undefined && path === undefined) return BAD_PATH;
  const denied = firstMatch(deny, connection, request, path);
  if (denied !== undefined) return denied;
  if (allow.length === 0) return NO_DENY_MATCHED;
  const allowed = firstMatch(allow, connection, request, path);
  return (
    allowed ??
    noneAllowed(
      allow.map(policy => policy.name),
      connection,
    )
  );
}

/**
 * What `evaluate` would say if the dry-run policies were enforced as well, to be logged where it differs.
 * @returns undefined when no dry-run policy applies.
 */
export function evaluateDryRun(
  policies: CompiledPolicySet,
  connection: AuthzConnection,
  request?: AuthzRequest,
): Decision | undefined {
  return policies.dryRun === undefined ? undefined : evaluate(policies.dryRun, connection, request);
}

function firstMatch(
  policies: readonly CompiledPolicy[],
  connection: AuthzConnection,
  request: AuthzRequest | undefined,
  path: string | undefined,
): Decision | undefined {
  for (const policy of policies) {
    for (const rule of policy.rules) {
      if (matchesRule(policy.action, rule, connection, request, path)) return rule.decision;
    }
  }
  return undefined;
}

function matchesRule(
  action: 'allow' | 'deny',
  rule: CompiledRule,
  connection: AuthzConnection,
  request: AuthzRequest | undefined,
  path: string | undefined,
): boolean {
  for (const clause of rule.clauses) {
    let any = false;
    for (const match of clause) {
      if (!matchesConnection(match, connection)) continue;
      if (match.http === undefined) any = true;
      else if (request === undefined) any = action === 'deny';
      else any = matchesHttp(match.http, request, path);
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
  if (principals !== undefined && !matchesAny(principals, c.principal)) return false;
  if (notPrincipals !== undefined && matchesAny(notPrincipals, c.principal)) return false;
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

function hasAccount(accounts: readonly ServiceAccountMatch[], c: AuthzConnection): boolean {
  for (const account of accounts) {
    if (account.serviceAccount === c.serviceAccount && account.namespace === c.namespace) return true;
  }
  return false;
}

function inRanges(ranges: readonly Cidr[], ip: IpBytes | undefined): boolean {
  if (ip === undefined) return false;
  for (const range of ranges) if (cidrContains(range, ip)) return true;
  return false;
}
