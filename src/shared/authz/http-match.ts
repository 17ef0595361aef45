import type { CompiledHeaderMatch, CompiledHttpMatch, HostMatcher } from './compile.ts';
import { headerText, hostOf, type AuthzRequest } from './request.ts';
import { matchesAny } from './string-match.ts';

/** @param path the normalized path, without query. */
export function matchesHttp(
  match: CompiledHttpMatch,
  request: AuthzRequest,
  path: string | undefined,
): boolean {
  const { hosts, notHosts, methods, notMethods, paths, notPaths, headers } = match;
  if (methods !== undefined && !matchesAny(methods, request.method)) return false;
  if (notMethods !== undefined && matchesAny(notMethods, request.method)) return false;
  if (paths !== undefined && !matchesAny(paths, path)) return false;
  if (notPaths !== undefined && matchesAny(notPaths, path)) return false;
  if (hosts !== undefined && !matchesHost(hosts, request.authority)) return false;
  if (notHosts !== undefined && matchesHost(notHosts, request.authority)) return false;
  for (const header of headers) if (!matchesHeader(header, request.headers)) return false;
  return true;
}

/**
 * A value that names no port matches the host on every port: a DENY for `admin.example.com` is not passed by asking for
 * `admin.example.com:8080`.
 */
function matchesHost(hosts: HostMatcher, authority: string): boolean {
  if (hosts.hostOnly !== undefined && matchesAny(hosts.hostOnly, hostOf(authority))) return true;
  return hosts.withPort !== undefined && matchesAny(hosts.withPort, authority.toLowerCase());
}

function matchesHeader(match: CompiledHeaderMatch, headers: readonly string[]): boolean {
  const text = headerText(headers, match.name);
  if (match.values !== undefined && !matchesAny(match.values, text)) return false;
  return match.notValues === undefined || !matchesAny(match.notValues, text);
}
