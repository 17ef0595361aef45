import { closeSync, openSync } from 'node:fs';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import { runInNetns } from '#shared/native/netns.ts';
import { canonicalIp } from '#shared/workload/ip.ts';

/** Interfaces that hold addresses of Services and of node-local DNS, which no probe comes from. */
const NOT_THE_NODES = /^(?:kube-ipvs0|nodelocaldns)$/;
/** More than a node has; a rule each, in every pod. */
const MAX_SOURCES = 32;

/**
 * The addresses of the node, from which the kubelet's probes come: that of the bridge to its pods, or its own, by the kind
 * of network. Throws when the node's network namespace cannot be entered.
 * @param netnsPath of the node, `/proc/1/ns/net`
 */
export function nodeAddresses(netnsPath: string): string[] {
  const fd = openSync(netnsPath, 'r');
  try {
    return probeSourcesOf(runInNetns(fd, networkInterfaces));
  } finally {
    closeSync(fd);
  }
}

/** In a fixed order, so that the same addresses make the same rules. */
export function probeSourcesOf(
  interfaces: Readonly<Record<string, NetworkInterfaceInfo[] | undefined>>,
): string[] {
  const found = new Set<string>();
  for (const [name, addresses] of Object.entries(interfaces)) {
    if (NOT_THE_NODES.test(name)) continue;
    for (const { address, internal } of addresses ?? []) {
      const ip = canonicalIp(address);
      if (ip !== undefined && !internal && !/^fe[89ab]/i.test(ip)) found.add(ip);
    }
  }
  return [...found].sort().slice(0, MAX_SOURCES);
}
