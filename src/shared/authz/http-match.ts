import { claimAt, claimTexts } from '../jwt/claim-values.ts';
import { queryValues } from '../route/query.ts';
import { inRanges } from '../workload/cidr.ts';
import { type IpBytes, parseIp } from '../workload/ip.ts';
import type { CompiledClaimMatch, CompiledValueMatch, CompiledHttpMatch, HostMatcher } from './compile.ts';
import type { AuthzConnection } from './connection.ts';
import type { PolicyAction } from './policy.ts';
import { headerText, hostOf, someHeaderValue, type AuthzRequest } from './request.ts';
import { matchesAny, type StringMatcher } from './string-match.ts';
import type { TokenIdentity } from './token-identity.ts';

/** A request with what is known of it beyond its head. */
export interface HttpSubject {
  readonly request: AuthzRequest;
  /** Normalized, without query; empty of a CONNECT. */
  readonly path: string | undefined;
  /** As a lenient server reads the path; undefined: as it stands. */
  readonly lenient: string | undefined;
  readonly connection: AuthzConnection;
  /** Of a verified token. */
  readonly token: TokenIdentity | undefined;
}

/** @param action of the policy: it decides what is made of a path where there is none */
export function matchesHttp(match: CompiledHttpMatch, subject: HttpSubject, action: PolicyAction): boolean {
  return matchesOperation(match, subject, action) && matchesCaller(match, subject);
}

function matchesOperation(match: CompiledHttpMatch, subject: HttpSubject, action: PolicyAction): boolean {
  const { request } = subject;
  const { hosts, notHosts, methods, notMethods, headers, queryParams } = match;
  if (methods !== undefined && !matchesAny(methods, request.method)) return false;
  if (notMethods !== undefined && matchesAny(notMethods, request.method)) return false;
  if (!matchesPath(match, subject, action)) return false;
  if (hosts !== undefined && !matchesHost(hosts, request.authority)) return false;
  if (notHosts !== undefined && matchesHost(notHosts, request.authority)) return false;
  for (const header of headers) if (!matchesHeader(header, request.headers)) return false;
  for (const parameter of queryParams) if (!matchesQuery(parameter, request.path, action)) return false;
  return true;
}

/**
 * A CONNECT has no path. It is none of `notPaths`; an ALLOW for `paths` does not match it, while in other policies it counts as
 * the root, so that what holds for all paths holds for it as well: both err on the strict side.
 *
 * So does what is made of a path that servers read in two ways: what denies compares both, and an ALLOW for all but
 * `notPaths` is for paths that are none of them either way.
 */
function matchesPath(
  { notPaths, paths }: CompiledHttpMatch,
  { lenient, path }: HttpSubject,
  action: PolicyAction,
): boolean {
  if (path === '') return paths === undefined || (action !== 'allow' && matchesAny(paths, '/'));
  const isStrict = action !== 'allow';
  if (paths !== undefined && !matchesAny(paths, path)) {
    if (!isStrict || lenient === undefined || !matchesAny(paths, lenient)) return false;
  }
  if (notPaths === undefined) return true;
  const isOutside = !matchesAny(notPaths, path);
  if (lenient === undefined) return isOutside;
  const isLenientOutside = !matchesAny(notPaths, lenient);
  return isStrict ? isOutside || isLenientOutside : isOutside && isLenientOutside;
}

/** Who asks, by what came with the request rather than with the connection. */
function matchesCaller(match: CompiledHttpMatch, { connection, request, token }: HttpSubject): boolean {
  const { claims, notRemoteIps, notRequestPrincipals, remoteIps, requestPrincipals } = match;
  if (requestPrincipals !== undefined && !matchesAny(requestPrincipals, token?.principal)) return false;
  if (notRequestPrincipals !== undefined && matchesAny(notRequestPrincipals, token?.principal)) return false;
  for (const claim of claims) if (!matchesClaim(claim, token)) return false;
  if (remoteIps === undefined && notRemoteIps === undefined) return true;
  const remote = remoteIp(request, connection);
  if (remoteIps !== undefined && !inRanges(remoteIps, remote)) return false;
  return notRemoteIps === undefined || !inRanges(notRemoteIps, remote);
}

function matchesClaim(
  { claim, notValues, values }: CompiledClaimMatch,
  token: TokenIdentity | undefined,
): boolean {
  const texts = token === undefined ? [] : claimTexts(claimAt(token.claims, claim));
  if (values !== undefined && !texts.some(text => matchesAny(values, text))) return false;
  return notValues === undefined || !texts.some(text => matchesAny(notValues, text));
}

/**
 * The address that the nearest proxy in front of the mesh has seen: the last of `X-Forwarded-For`, as Envoy takes it with no
 * trusted hops. Without the header, or with what is no address, the source's own.
 */
function remoteIp({ headers }: AuthzRequest, { sourceIpBytes }: AuthzConnection): IpBytes | undefined {
  const last = headerText(headers, 'x-forwarded-for')?.split(',').at(-1)?.trim() ?? '';
  return parseIp(last) ?? sourceIpBytes;
}

/**
 * A value that names no port matches the host on every port: a DENY for `admin.example.com` is not passed by asking for
 * `admin.example.com:8080`.
 */
function matchesHost(hosts: HostMatcher, authority: string): boolean {
  if (hosts.hostOnly !== undefined && matchesAny(hosts.hostOnly, hostOf(authority))) return true;
  return (
    hosts.withPort !== undefined &&
    matchesAny(hosts.withPort, authority.toLowerCase().replace(/\.(?=:\d*$)/, ''))
  );
}

function matchesQuery(
  { name, notValues, values }: CompiledValueMatch,
  target: string,
  action: PolicyAction,
): boolean {
  const found = queryValues(target, name);
  const isIn = (matcher: StringMatcher) => (value: string) => matchesAny(matcher, value);
  if (action === 'allow') {
    if (values !== undefined && (found.length === 0 || !found.every(isIn(values)))) return false;
    return notValues === undefined || !found.some(isIn(notValues));
  }
  if (values !== undefined && !found.some(isIn(values))) return false;
  return notValues === undefined || found.length === 0 || !found.every(isIn(notValues));
}

function matchesHeader({ name, notValues, values }: CompiledValueMatch, headers: readonly string[]): boolean {
  if (values !== undefined && !someHeaderValue(headers, name, text => matchesAny(values, text))) return false;
  return notValues === undefined || !someHeaderValue(headers, name, text => matchesAny(notValues, text));
}
