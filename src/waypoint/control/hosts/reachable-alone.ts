import { BlockList, isIPv6 } from 'node:net';
import type { HostLookup } from '#shared/dns/host-lookup.ts';

/** What these mean depends on who dials them: nobody may have the waypoint dial itself, or its node. */
const OWN = new BlockList();
OWN.addSubnet('0.0.0.0', 8, 'ipv4');
OWN.addSubnet('127.0.0.0', 8, 'ipv4');
OWN.addSubnet('169.254.0.0', 16, 'ipv4');
OWN.addSubnet('224.0.0.0', 3, 'ipv4');
OWN.addAddress('::', 'ipv6');
OWN.addAddress('::1', 'ipv6');
// What the mesh allocates itself; its IPv4 addresses are among those above.
OWN.addSubnet('2001:2::', 48, 'ipv6');
OWN.addSubnet('fe80::', 10, 'ipv6');
OWN.addSubnet('ff00::', 8, 'ipv6');

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');

/**
 * What a waypoint may dial of names that somebody else chooses: not what is another thing to it than to who chose the name, its own
 * addresses, loopback, link-local (where clouds give out credentials), those of many, and those the mesh gives to ServiceEntries.
 *
 * @param ownIps of the waypoint. Where it has a loopback address itself, so has the whole mesh, on one machine.
 */
export function dialable(ownIps: readonly string[]): (ip: string) => boolean {
  const isOnLoopback = ownIps.some(ip => isIn(LOOPBACK, ip));
  return ip => {
    if (ownIps.includes(ip)) return false;
    return isOnLoopback && isIn(LOOPBACK, ip) ? ip !== '127.0.0.1' : !isIn(OWN, ip);
  };
}

/** A lookup of names that clients choose, without the addresses that are not `dialable`. */
export function reachableAlone(lookup: HostLookup, ownIps: readonly string[]): HostLookup {
  const isReachable = dialable(ownIps);
  return async hostname => {
    const { ips, ttlMs } = await lookup(hostname);
    const reachable = ips.filter(isReachable);
    if (ips.length > 0 && reachable.length === 0)
      throw new Error(`${hostname} has no address that may be dialled from here: ${ips.join(', ')}`);
    return { ips: reachable, ttlMs };
  };
}

function isIn(list: BlockList, ip: string): boolean {
  return list.check(ip, isIPv6(ip) ? 'ipv6' : 'ipv4');
}
