import { PROXY_MARK } from '#shared/native/socket-factory.ts';
import { familyOf } from '#shared/native/socket-address.ts';

/** One table holds everything the mesh has in a pod's namespace, so that it is replaced and removed as one. */
export const TABLE = 'inet ambient_mesh';

/** Connection mark of what the proxy dials inside the pod, and packet mark of the application's replies to it. */
export const REPLY_MARK = 0x111;
/** The upper bits of marks belong to other software (CNI plugins, kube-proxy). */
export const REPLY_MARK_MASK = 0xfff;

export interface CapturePorts {
  readonly outbound: number;
  readonly inboundPlaintext: number;
  readonly inboundHbone: number;
  readonly dns: number;
}

export const CAPTURE_PORTS: CapturePorts = {
  outbound: 15001,
  inboundPlaintext: 15006,
  inboundHbone: 15008,
  dns: 15053,
};

export interface CaptureOptions {
  readonly ports: CapturePorts;
  /** Addresses that the node's health probes come from; they reach the application without the mesh. */
  readonly probeSources: readonly string[];
  /** TCP ports that probes of this pod dial; undefined: not known, so any. */
  readonly probePorts?: readonly number[] | undefined;
  /** Plaintext from outside the mesh reaches the application without the proxy. */
  readonly bypassInbound?: boolean;
  /** Whether UDP and TCP port 53 go to the proxy's DNS server. */
  readonly captureDns: boolean;
}

/** Addresses the kubelet's probes are translated to where the CNI plugin can do that. */
export const DEFAULT_PROBE_SOURCES: readonly string[] = [
  '169.254.7.127',
  'fd16:9254:7127:1337:ffff:ffff:ffff:ffff',
];

interface Chain {
  readonly name: string;
  readonly hook: string;
  readonly rules: readonly string[];
}

/**
 * The whole ruleset of a captured pod, for `nft -f`: one transaction that replaces what is there, so that loading it twice,
 * or over a half-removed one, gives the same state. `zones`: the kernel has connection-tracking zones (most do).
 * Throws when a probe source is not an address.
 */
export function captureRuleset(options: CaptureOptions, zones = true): string {
  const proxy = proxyChains(zones, options.captureDns);
  const chains = [...proxy, outputRedirect(options), inputRedirect(options)];
  return ruleset(options.bypassInbound === true ? chains : [...chains, inputGuard(options)]);
}

/**
 * What stays while a pod leaves the mesh: new connections go direct, but address translation stays registered, without
 * which the kernel would send the packets of live redirected connections to their original destination.
 */
export function drainRuleset(zones = true): string {
  const nat = [OUTPUT_NAT, PREROUTING_NAT].map(chain => ({ ...chain, rules: [] }));
  return ruleset([...proxyChains(zones, true), ...nat]);
}

/** Succeeds whether or not the table is there. */
export function removeRuleset(): string {
  return `add table ${TABLE}\ndelete table ${TABLE}\n`;
}

const OUTPUT_NAT = { name: 'redirect_output', hook: 'type nat hook output priority -100' };
const PREROUTING_NAT = { name: 'redirect_prerouting', hook: 'type nat hook prerouting priority -100' };

/**
 * Only the first packet of a connection: one that was open before the pod was captured, and that connection tracking
 * picks up in the middle, must not be torn out of its socket.
 */
const NEW_CONNECTION = 'tcp flags & (fin | syn | rst | ack) == syn';
const PROXY_PACKET = `meta mark & ${hex(REPLY_MARK_MASK)} == ${hex(PROXY_MARK)}`;
const SET_REPLY_MARK = `& ${hex(~REPLY_MARK_MASK >>> 0)} | ${hex(REPLY_MARK)}`;

/** For the proxy's own connections to the application, in either of its two ways past connection tracking. */
function proxyChains(zones: boolean, dns: boolean): Chain[] {
  return [...(zones ? zoneChains(dns) : []), ...markChains()];
}

/**
 * The proxy's connection to the application lies apart from the rest of the connection table in one direction. Without
 * that, the port that the kernel chooses for it may be one from which the same client has a redirected connection: two
 * with equal addresses and ports, of which the second would hang. Replies need no zone: those of the redirected
 * connection come from the proxy's port.
 *
 * Its DNS queries lie apart as well: an application's port is free for them long before connection tracking has forgotten what
 * was redirected from it, and they would be too.
 */
function zoneChains(dns: boolean): Chain[] {
  const zone = 'ct original zone set 1';
  const rule = `${PROXY_PACKET} ${zone}`;
  const queries = `${PROXY_PACKET} udp dport 53 ${zone}`;
  return [
    {
      name: 'zone_output',
      hook: 'type filter hook output priority -300',
      rules: [`oifname "lo" ${rule}`, ...(dns ? [queries] : [])],
    },
    {
      name: 'zone_prerouting',
      hook: 'type filter hook prerouting priority -300',
      rules: [`iifname "lo" ${rule}`],
    },
  ];
}

/**
 * The proxy dials the application over loopback from the client's real address. The reply is addressed to the client
 * and would leave the pod: the connection is marked where the proxy's packet arrives, and the mark put on the replies
 * makes them look up the local route table (`local-route.ts`).
 */
function markChains(): Chain[] {
  return [
    {
      name: 'mark_prerouting',
      hook: 'type filter hook prerouting priority -150',
      rules: [`iifname "lo" ${PROXY_PACKET} ct mark set ct mark ${SET_REPLY_MARK}`],
    },
    {
      name: 'mark_output',
      hook: 'type route hook output priority -150',
      rules: [
        `${PROXY_PACKET} accept comment "what the proxy sends is routed as usual"`,
        `ct mark & ${hex(REPLY_MARK_MASK)} == ${hex(REPLY_MARK)} meta mark set meta mark ${SET_REPLY_MARK}`,
      ],
    },
  ];
}

function outputRedirect({ ports, captureDns }: CaptureOptions): Chain {
  const dns = [
    `udp dport 53 redirect to :${ports.dns}`,
    `${NEW_CONNECTION} tcp dport 53 redirect to :${ports.dns}`,
  ];
  return {
    ...OUTPUT_NAT,
    rules: [
      `${PROXY_PACKET} accept comment "the proxy itself"`,
      `oifname "lo" accept comment "within the pod, its own address included"`,
      'ip daddr 127.0.0.0/8 accept',
      'ip6 daddr ::1 accept',
      ...(captureDns ? dns : []),
      `${NEW_CONNECTION} redirect to :${ports.outbound}`,
    ],
  };
}

function inputRedirect(options: CaptureOptions): Chain {
  const { bypassInbound, ports } = options;
  if (bypassInbound === true) return { ...PREROUTING_NAT, rules: [] };
  return {
    ...PREROUTING_NAT,
    rules: [
      ...notCaptured(options),
      `tcp dport ${ports.inboundHbone} accept comment "HBONE"`,
      `${NEW_CONNECTION} redirect to :${ports.inboundPlaintext}`,
    ],
  };
}

/**
 * Address translation is decided by the first packet that connection tracking sees, and it takes one from the middle of a
 * connection for a first one. Who can send such a packet could have the SYN behind it reach the application, past the
 * proxy and its policies: what begins a connection comes in by the proxy's ports or not at all.
 */
function inputGuard(options: CaptureOptions): Chain {
  const { inboundHbone, inboundPlaintext } = options.ports;
  return {
    name: 'guard_input',
    hook: 'type filter hook input priority 0',
    rules: [
      // First: nearly every packet is one of these.
      'tcp flags & (syn | rst | ack) != syn accept comment "within a connection"',
      ...notCaptured(options),
      `tcp dport { ${inboundPlaintext}, ${inboundHbone} } accept comment "the proxy"`,
      'meta l4proto tcp drop comment "a connection that was not redirected"',
    ],
  };
}

/** What reaches the application without the proxy. */
function notCaptured({ probeSources, probePorts }: CaptureOptions): readonly string[] {
  const probed =
    probePorts === undefined ? '' : ` tcp dport { ${[...probePorts].sort((a, b) => a - b).join(', ')} }`;
  const probes = probePorts?.length === 0 ? [] : probeSources;
  return [
    'iifname "lo" accept comment "within the pod, and the proxy dialling the application"',
    ...probes.map(
      ip =>
        `${familyOf(ip) === 4 ? 'ip' : 'ip6'} saddr ${ip}${probed} accept comment "health probes of the node"`,
    ),
  ];
}

/** nft 1.0.6 accepts a rule only on a line of its own. */
function ruleset(chains: readonly Chain[]): string {
  const body = chains.flatMap(({ name, hook, rules }) => [
    `  chain ${name} {`,
    `    ${hook}; policy accept;`,
    ...rules.map(rule => `    ${rule}`),
    '  }',
  ]);
  return `${removeRuleset()}table ${TABLE} {\n${body.join('\n')}\n}\n`;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
