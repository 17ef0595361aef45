import { isIP, isIPv4 } from 'node:net';

/** One port of a service, for pods outside the mesh: what kube-proxy does, as small as it can be. */
export interface ServiceRule {
  readonly clusterIp: string;
  readonly port: number;
  readonly endpoints: readonly { readonly ip: string; readonly port: number }[];
}

const TABLE = 'inet playground_services';

/**
 * The node's rules for cluster IPs, for `nft -f`: a new connection to a service goes to one of its endpoints at random;
 * to one without endpoints it is refused at once rather than left without an answer. Pods in the mesh never send to a
 * cluster IP: their ztunnel has chosen the endpoint.
 */
export function serviceRuleset(wanted: readonly ServiceRule[]): string {
  const rules = wanted.filter(isSound);
  const endpointIps = [...new Set(rules.flatMap(rule => rule.endpoints.map(e => e.ip)))].sort();
  return [
    `add table ${TABLE}`,
    `delete table ${TABLE}`,
    `table ${TABLE} {`,
    '  chain services {',
    '    type nat hook prerouting priority -100; policy accept;',
    ...rules.filter(rule => rule.endpoints.length > 0).map(rule => `    ${translate(rule)}`),
    '  }',
    '  chain no_endpoints {',
    '    type filter hook forward priority 0; policy accept;',
    ...rules
      .filter(rule => rule.endpoints.length === 0)
      .map(rule => `    ${match(rule)} reject with tcp reset`),
    '  }',
    '  chain hairpin {',
    '    type nat hook postrouting priority 100; policy accept;',
    // A pod that reaches itself through its service would get its own address as the peer, and drop the packet.
    ...endpointIps.map(ip => `    ${family(ip)} saddr ${ip} ${family(ip)} daddr ${ip} masquerade`),
    '  }',
    '}',
    '',
  ].join('\n');
}

/** A user wrote it: what is no address or no port would have all rules refused, or looked up as a name. The controller tells of it. */
function isSound({ clusterIp, port, endpoints }: ServiceRule): boolean {
  return isIP(clusterIp) !== 0 && isPort(port) && endpoints.every(e => isPort(e.port));
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535;
}

function match({ clusterIp, port }: ServiceRule): string {
  return `${family(clusterIp)} daddr ${clusterIp} tcp dport ${port}`;
}

function translate(rule: ServiceRule): string {
  const ip = family(rule.clusterIp);
  const choices = rule.endpoints.map((e, i) => `${i} : ${e.ip} . ${e.port}`).join(', ');
  const [only] = rule.endpoints;
  if (rule.endpoints.length === 1 && only !== undefined) {
    const host = ip === 'ip' ? only.ip : `[${only.ip}]`;
    return `${match(rule)} dnat ${ip} to ${host}:${only.port}`;
  }
  return `${match(rule)} dnat ${ip} to numgen random mod ${rule.endpoints.length} map { ${choices} }`;
}

function family(address: string): 'ip' | 'ip6' {
  return isIPv4(address) ? 'ip' : 'ip6';
}
