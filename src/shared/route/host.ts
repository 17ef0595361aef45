import { hostOf } from '../authz/request.ts';

/** Host names a rule is limited to: exact ones, and `*.suffix` or `*` ones. Compared without case and port. */
export interface HostPatterns {
  readonly exact: ReadonlySet<string>;
  /** Each with its leading dot; empty matches every host. */
  readonly suffixes: readonly string[];
}

/** @returns undefined for an empty list: any host. */
export function compileHosts(hosts: readonly string[]): HostPatterns | undefined {
  if (hosts.length === 0) return undefined;
  const exact = new Set<string>();
  const suffixes: string[] = [];
  for (const host of hosts) {
    const lower = host.toLowerCase();
    if (lower.startsWith('*')) suffixes.push(lower.slice(1));
    else exact.add(lower);
  }
  return { exact, suffixes };
}

/** `*.example.com` matches `a.example.com` and `a.b.example.com`, not `example.com`. */
export function matchesHost(patterns: HostPatterns, authority: string): boolean {
  const host = hostOf(authority);
  if (patterns.exact.has(host)) return true;
  for (const suffix of patterns.suffixes) {
    if (host.length > suffix.length && host.endsWith(suffix)) return true;
  }
  return false;
}
