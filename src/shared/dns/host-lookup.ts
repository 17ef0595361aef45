import { lookup, Resolver } from 'node:dns/promises';
import { canonicalIp, isIpv6 } from '../workload/ip.ts';

/** What a name stands for at the moment. */
export interface HostAddresses {
  /** Canonical text. IPv6 where there is no IPv4 alone, as Envoy by default. */
  readonly ips: readonly string[];
  /** How long the answer may be used; undefined where nobody said. */
  readonly ttlMs: number | undefined;
}

/** Rejects when the name cannot be resolved. */
export type HostLookup = (hostname: string) => Promise<HostAddresses>;

const TRY_MS = 2_000;
const TRIES = 2;

/** Of the name servers of the system, or others, with the times they give; what these do not know, as the system does (hosts file). */
export function systemLookup(servers: readonly string[] = []): HostLookup {
  // Made when the first name is asked for: most meshes have none.
  let resolver: Resolver | undefined;
  return async hostname => {
    if (resolver === undefined) {
      resolver = new Resolver({ timeout: TRY_MS, tries: TRIES });
      if (servers.length > 0) resolver.setServers(servers);
    }
    for (const ask of [resolver.resolve4.bind(resolver), resolver.resolve6.bind(resolver)]) {
      const records = await ask(hostname, { ttl: true }).catch(() => []);
      if (records.length === 0) continue;
      const ttls = records.map(({ ttl }) => ttl);
      return { ips: canonical(records.map(({ address }) => address)), ttlMs: Math.min(...ttls) * 1_000 };
    }
    const found = canonical((await lookup(hostname, { all: true })).map(({ address }) => address));
    const v4 = found.filter(ip => !isIpv6(ip));
    return { ips: v4.length > 0 ? v4 : found, ttlMs: undefined };
  };
}

function canonical(texts: readonly string[]): readonly string[] {
  return texts.map(canonicalIp).filter(ip => ip !== undefined);
}
