import { test } from 'tap';
import {
  CAPTURE_PORTS,
  captureRuleset,
  DEFAULT_PROBE_SOURCES,
  drainRuleset,
  removeRuleset,
} from './capture-rules.ts';
import { normalizedListing, shapeOfListing, shapeOfRuleset } from './ruleset-listing.ts';

const DEFAULTS = {
  ports: CAPTURE_PORTS,
  probeSources: DEFAULT_PROBE_SOURCES,
  captureDns: false,
  sysctlDirectory: undefined,
};
const SOCKET_MARK = { answers: 'socket_mark', zones: true } as const;
const CONNECTION_MARK = { answers: 'connection_mark', zones: true } as const;

const GOLDEN = `add table inet ambient_mesh
delete table inet ambient_mesh
table inet ambient_mesh {
  chain untracked_output {
    type filter hook output priority -300; policy accept;
    meta mark & 0xfff == 0x111 notrack
  }
  chain former_prerouting {
    type filter hook prerouting priority -150; policy accept;
    iifname != "lo" ip saddr 169.254.7.127 tcp flags & (fin | syn | rst | ack) == syn tproxy ip to :tcp dport
    iifname != "lo" ip6 saddr fd16:9254:7127:1337:ffff:ffff:ffff:ffff tcp flags & (fin | syn | rst | ack) == syn tproxy ip6 to :tcp dport
  }
  chain redirect_output {
    type nat hook output priority -100; policy accept;
    meta mark & 0xfff == 0x539 accept comment "the proxy itself"
    oifname "lo" accept comment "within the pod, its own address included"
    ip daddr 127.0.0.0/8 accept
    ip6 daddr ::1 accept
    tcp flags & (fin | syn | rst | ack) == syn redirect to :15001
  }
  chain redirect_prerouting {
    type nat hook prerouting priority -100; policy accept;
    iifname "lo" accept comment "within the pod, and the proxy dialling the application"
    ip saddr 169.254.7.127 accept comment "health probes of the node"
    ip6 saddr fd16:9254:7127:1337:ffff:ffff:ffff:ffff accept comment "health probes of the node"
    tcp dport 15008 accept comment "HBONE"
    tcp flags & (fin | syn | rst | ack) == syn redirect to :15006
  }
  chain guard_input {
    type filter hook input priority 0; policy accept;
    tcp flags & (syn | rst | ack) != syn accept comment "within a connection"
    iifname "lo" accept comment "within the pod, and the proxy dialling the application"
    ip saddr 169.254.7.127 accept comment "health probes of the node"
    ip6 saddr fd16:9254:7127:1337:ffff:ffff:ffff:ffff accept comment "health probes of the node"
    tcp dport { 15006, 15008 } accept comment "the proxy"
    meta l4proto tcp drop comment "a connection that was not redirected"
  }
}
`;

/** Where connection tracking keeps the marks: `packets` in the place of the first chain above. */
const tracked = (packets: string): string => `  chain zone_output {
    type filter hook output priority -300; policy accept;
    oifname "lo" meta mark & 0xfff ${packets} ct original zone set 1
  }
  chain zone_prerouting {
    type filter hook prerouting priority -300; policy accept;
    iifname "lo" meta mark & 0xfff ${packets} ct original zone set 1
  }
  chain mark_prerouting {
    type filter hook prerouting priority -150; policy accept;
    iifname "lo" meta mark & 0xfff ${packets} ct direction original ct mark set ct mark & 0xfffff000 | 0x111
  }
  chain mark_output {
    type route hook output priority -150; policy accept;
    meta mark & 0xfff ${packets} ct direction original accept comment "what the proxy sends is routed as usual"
    ct mark & 0xfff == 0x111 meta mark set meta mark & 0xfffff000 | 0x111
  }
`;
const REDIRECT = GOLDEN.indexOf('  chain redirect_output');
const UNTRACKED = GOLDEN.indexOf('  chain untracked_output');

test('rulesets', async t => {
  t.equal(captureRuleset(DEFAULTS, SOCKET_MARK), GOLDEN, 'the rules of a captured pod');
  t.equal(
    captureRuleset(DEFAULTS, CONNECTION_MARK),
    GOLDEN.slice(0, UNTRACKED) + tracked('{ 0x111, 0x539 }') + GOLDEN.slice(REDIRECT),
    'where sockets cannot keep the mark, connection tracking does',
  );
  t.equal(
    captureRuleset(DEFAULTS, { answers: 'both', zones: true }),
    GOLDEN.slice(0, REDIRECT) + tracked('== 0x539') + GOLDEN.slice(REDIRECT),
    'beside an older ztunnel its connections are marked as it does, and the own ones not tracked',
  );
  t.match(
    captureRuleset({ ...DEFAULTS, captureDns: true }, SOCKET_MARK),
    /udp dport 53 redirect to :15053\n.* tcp dport 53 redirect to :15053\n/,
    'DNS goes to 15053 when asked for',
  );
  t.match(
    captureRuleset({ ...DEFAULTS, captureDns: true }, SOCKET_MARK),
    /meta mark & 0xfff == 0x539 udp dport 53 ct original zone set 1\n/,
    'and what the proxy asks itself lies apart from what it was asked',
  );
  t.match(
    captureRuleset({ ...DEFAULTS, probePorts: [8080, 80] }, SOCKET_MARK),
    /ip saddr 169\.254\.7\.127 tcp dport { 80, 8080 } accept/,
    'probes pass to the ports of probes alone',
  );
  t.notMatch(
    captureRuleset({ ...DEFAULTS, probePorts: [] }, SOCKET_MARK),
    /169\.254/,
    'a pod without probes lets nothing past the proxy',
  );
  t.notMatch(
    captureRuleset({ ...DEFAULTS, bypassInbound: true }, SOCKET_MARK),
    /15006|guard/,
    'plaintext to a pod that asks for it is not captured',
  );
  t.notMatch(
    captureRuleset(DEFAULTS, { ...CONNECTION_MARK, zones: false }),
    /zone/,
    'a kernel without zones gets none',
  );
  t.notMatch(
    captureRuleset({ ...DEFAULTS, probePorts: [] }, SOCKET_MARK),
    /tproxy/,
    'where nothing reaches the application past the proxy, nothing is looked for that could answer it',
  );
  t.match(
    captureRuleset({ ...DEFAULTS, bypassInbound: true }, SOCKET_MARK),
    /"lo" meta l4proto tcp tcp flags .* tproxy/,
    'where all plaintext does, for all of it',
  );
  t.match(drainRuleset(SOCKET_MARK), /"lo" meta l4proto tcp tcp flags .* tproxy/, 'and while the pod leaves');
  t.notMatch(drainRuleset(SOCKET_MARK), /redirect to|drop/, 'a draining pod redirects nothing');
  t.match(
    drainRuleset(SOCKET_MARK),
    /type nat hook output/,
    'a draining pod keeps address translation registered',
  );
  t.equal(removeRuleset(), 'add table inet ambient_mesh\ndelete table inet ambient_mesh\n');
  t.throws(
    () => captureRuleset({ ...DEFAULTS, probeSources: ['1.1.1.1 accept; #'] }, SOCKET_MARK),
    { message: /not an IP address/ },
    'text that is no address never becomes part of a rule',
  );
});

test('listings', async t => {
  t.same(shapeOfRuleset(GOLDEN), { chains: 5, rules: 19 });
  const listing = (handle: number): string =>
    JSON.stringify({
      nftables: [
        { metainfo: { version: '1' } },
        { chain: { handle, name: 'a' } },
        { rule: { handle, expr: [{ accept: null }] } },
      ],
    });
  t.equal(normalizedListing(listing(1)), normalizedListing(listing(2)), 'handles are not part of the rules');
  t.same(shapeOfListing(normalizedListing(listing(1))), { chains: 1, rules: 1 });
  t.throws(() => normalizedListing('{}'), { message: /no array "nftables"/ });
});
