import { APPLICATION_MARK, MARK_MASK, PROXY_MARK } from '#shared/native/socket-factory.ts';
import { familyOf } from '#shared/native/socket-address.ts';

/** One table holds everything the mesh has in a pod's namespace, so that it is replaced and removed as one. */
export const TABLE = 'inet ambient_mesh';

/**
 * How the application's answers, which are addressed to the client, find the proxy. Either way they carry the mark that the local
 * route (`local-route.ts`) is for. `socket_mark`: the application's socket has it from the first packet of the connection
 * (`accepted-marks.ts`), and connection tracking has nothing to do with it. `connection_mark`: connection tracking keeps it, and
 * a rule puts it on each answer. `both`: as the first, while connections of a ztunnel that did as the second may be there.
 */
export type AnswerRouting = 'socket_mark' | 'connection_mark' | 'both';

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
  /**
   * `/proc/sys/net` where it can be written, for what the pod's namespace has to be told (`accepted-marks.ts`). Undefined: it is left as
   * it is, and connection tracking keeps the marks.
   */
  readonly sysctlDirectory: string | undefined;
}

/** Addresses the kubelet's probes are translated to where the CNI plugin can do that. */
export const DEFAULT_PROBE_SOURCES: readonly string[] = [
  '169.254.7.127',
  'fd16:9254:7127:1337:ffff:ffff:ffff:ffff',
];

/** Packets. `family`: of theirs, where a statement has to say it; empty: both. */
interface Match {
  readonly family: 'ip ' | 'ip6 ' | '';
  readonly text: string;
}

const ALL_TCP: Match = { family: '', text: 'meta l4proto tcp' };

interface Chain {
  readonly name: string;
  readonly hook: string;
  readonly rules: readonly string[];
}

/** What the kernel and the pod's namespace allow for. */
export interface RulesetKind {
  readonly answers: AnswerRouting;
  /** The kernel has connection-tracking zones (most do). */
  readonly zones: boolean;
}

/**
 * The whole ruleset of a captured pod, for `nft -f`: one transaction that replaces what is there, so that loading it twice,
 * or over a half-removed one, gives the same state. Throws when a probe source is not an address.
 */
export function captureRuleset(options: CaptureOptions, kind: RulesetKind): string {
  const { bypassInbound, captureDns } = options;
  const proxy = proxyChains(kind, captureDns, bypassInbound === true ? [ALL_TCP] : probes(options));
  const chains = [...proxy, outputRedirect(options), inputRedirect(options)];
  return ruleset(bypassInbound === true ? chains : [...chains, inputGuard(options)]);
}

/**
 * What stays while a pod leaves the mesh: new connections go direct, but address translation stays registered, without
 * which the kernel would send the packets of live redirected connections to their original destination.
 */
export function drainRuleset(kind: RulesetKind): string {
  const nat = [OUTPUT_NAT, PREROUTING_NAT].map(chain => ({ ...chain, rules: [] }));
  return ruleset([...proxyChains(kind, true, [ALL_TCP]), ...nat]);
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
const MARK = `meta mark & ${hex(MARK_MASK)}`;
const PROXY_PACKET = `${MARK} == ${hex(PROXY_MARK)}`;
const APPLICATION_PACKET = `${MARK} == ${hex(APPLICATION_MARK)}`;
const SET_MARK = `& ${hex(~MARK_MASK >>> 0)} | ${hex(APPLICATION_MARK)}`;
const APART = 'ct original zone set 1';

/** For the proxy's own connections to the application, and for its DNS queries. `direct`: what else comes to the application, past the proxy. */
function proxyChains({ answers, zones }: RulesetKind, dns: boolean, direct: readonly Match[]): Chain[] {
  // Of a ztunnel from before sockets kept marks all packets had the proxy's.
  const tracked =
    answers === 'both' ? PROXY_PACKET : `${MARK} { ${hex(APPLICATION_MARK)}, ${hex(PROXY_MARK)} }`;
  const byConnection = [...(zones ? zoneChains(tracked) : []), ...markChains(tracked)];
  const queries = zones && dns ? [queriesApart()] : [];
  if (answers === 'connection_mark') return [...queries, ...byConnection];
  const former = direct.length === 0 ? [] : [forgetsFormer(direct)];
  return [untracked(), ...former, ...queries, ...(answers === 'both' ? byConnection : [])];
}

/**
 * What goes between proxy and application is none of connection tracking's business: nothing of it is translated, the answers
 * find their way by their mark, and an entry each, looked up by every packet, would be a sixth of what a new connection
 * costs. Loopback hands a packet over as it left, so that this says it for both ways.
 */
function untracked(): Chain {
  return {
    name: 'untracked_output',
    hook: 'type filter hook output priority -300',
    rules: [`${APPLICATION_PACKET} notrack`],
  };
}

/**
 * For a minute after a connection of the proxy the application's side of it is remembered (TIME_WAIT), mark included. A client that
 * then dials the application itself from the same port (while the pod leaves, or as a health probe) would be answered by what is
 * remembered, and the answer would never leave the pod: the client would try for a minute. Where a packet that begins a
 * connection meets such a remnant, `tproxy` drops the remnant in favour of who listens (nf_tproxy_handle_time_wait4). Nothing else
 * comes of it, or, where who listens is a transparent socket, what comes anyway: the packet is for that socket. Which is why
 * this must never be asked for a packet that is redirected afterwards.
 */
function forgetsFormer(direct: readonly Match[]): Chain {
  return {
    name: 'former_prerouting',
    hook: 'type filter hook prerouting priority -150',
    rules: direct.map(
      ({ family, text }) => `iifname != "lo" ${text} ${NEW_CONNECTION} tproxy ${family}to :tcp dport`,
    ),
  };
}

/**
 * The proxy's DNS queries lie apart from the rest of the connection table in one direction: an application's port is free for
 * them long before connection tracking has forgotten what was redirected from it, and they would be too.
 */
function queriesApart(): Chain {
  return {
    name: 'queries_output',
    hook: 'type filter hook output priority -300',
    rules: [`${PROXY_PACKET} udp dport 53 ${APART}`],
  };
}

/**
 * Where connection tracking does know the proxy's connection to the application it lies apart too. Without that, the port that the
 * kernel chooses for it may be one from which the same client has a redirected connection: two with equal addresses and
 * ports, of which the second would hang. Replies need no zone: those of the redirected connection come from the proxy's port.
 */
function zoneChains(packet: string): Chain[] {
  return [
    {
      name: 'zone_output',
      hook: 'type filter hook output priority -300',
      rules: [`oifname "lo" ${packet} ${APART}`],
    },
    {
      name: 'zone_prerouting',
      hook: 'type filter hook prerouting priority -300',
      rules: [`iifname "lo" ${packet} ${APART}`],
    },
  ];
}

/**
 * The proxy dials the application over loopback from the client's real address. The reply is addressed to the client
 * and would leave the pod: the connection is marked where the proxy's packet arrives, and the mark put on the replies
 * makes them look up the local route table (`local-route.ts`).
 */
function markChains(packet: string): Chain[] {
  return [
    {
      name: 'mark_prerouting',
      hook: 'type filter hook prerouting priority -150',
      // By direction: what the proxy answers on a redirected connection goes over loopback too, and is routed as it is.
      rules: [`iifname "lo" ${packet} ct direction original ct mark set ct mark ${SET_MARK}`],
    },
    {
      name: 'mark_output',
      hook: 'type route hook output priority -150',
      rules: [
        // By direction: a socket that keeps marks has an older ztunnel's, whose answers are not the proxy's.
        `${packet} ct direction original accept comment "what the proxy sends is routed as usual"`,
        `ct mark & ${hex(MARK_MASK)} == ${hex(APPLICATION_MARK)} meta mark set meta mark ${SET_MARK}`,
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
function notCaptured(options: CaptureOptions): readonly string[] {
  return [
    'iifname "lo" accept comment "within the pod, and the proxy dialling the application"',
    ...probes(options).map(({ text }) => `${text} accept comment "health probes of the node"`),
  ];
}

/** What matches packets of health probes. */
function probes({ probeSources, probePorts }: CaptureOptions): readonly Match[] {
  if (probePorts?.length === 0) return [];
  const probed =
    probePorts === undefined ? '' : ` tcp dport { ${[...probePorts].sort((a, b) => a - b).join(', ')} }`;
  return probeSources.map(ip => {
    const family = familyOf(ip) === 4 ? 'ip ' : 'ip6 ';
    return { family, text: `${family}saddr ${ip}${probed}` };
  });
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
