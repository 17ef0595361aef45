import { canonicalIp, parseHostPort } from '../workload/ip.ts';

/** RFC 1035 §2.3.4. */
const MAX_NAME_LENGTH = 253;
const NAME = /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
/** A name that ends in a number is an IPv4 address to some resolvers and a name to others: refused. */
const NUMERIC_END = /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$/;

export interface Authority {
  readonly host: string;
  readonly hostKind: 'ip' | 'name';
  readonly port: number;
}

/**
 * The authority of a CONNECT: `ip:port`, `[ipv6]:port` or `name:port`. No user information, no default port, no zone.
 * @returns the reason when it does not parse.
 */
export function parseAuthority(text: string): Authority | string {
  if (text.length > MAX_NAME_LENGTH + 6) return 'the authority is too long';
  const parts = parseHostPort(text);
  if (parts === undefined) return 'the authority is not of the form ip:port, [ipv6]:port or name:port';
  const ip = canonicalIp(parts.host);
  if (ip !== undefined) return { host: ip, hostKind: 'ip', port: parts.port };
  const host = parts.host.toLowerCase();
  if (host.length > MAX_NAME_LENGTH || !NAME.test(host) || NUMERIC_END.test(host))
    return 'the authority is neither an IP address nor a host name';
  return { host, hostKind: 'name', port: parts.port };
}
