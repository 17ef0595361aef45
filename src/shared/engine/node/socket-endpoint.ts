import type { SocketEndpoint } from '../channel.ts';

const MAPPED_PREFIX = '::ffff:';

/** An address as Node reports it, in canonical form: no zone, IPv4-mapped IPv6 as IPv4. */
export function canonicalEndpoint(address: string | undefined, port: number | undefined): SocketEndpoint {
  return { ip: canonicalIp(address ?? ''), port: port ?? 0 };
}

function canonicalIp(address: string): string {
  const zone = address.indexOf('%');
  const ip = zone === -1 ? address : address.slice(0, zone);
  return ip.startsWith(MAPPED_PREFIX) && ip.includes('.') ? ip.slice(MAPPED_PREFIX.length) : ip;
}
