import { spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { test, type Test } from 'tap';
import { parseJson } from '#shared/config/json.ts';
import { type Clock, systemClock } from '#shared/lifecycle/clock.ts';
import { runInNetns } from '#shared/native/netns.ts';
import { loggerInto } from '#shared/testing/logger-into.ts';
import { MetricSet } from '#shared/observability/metric-set.ts';
import { cannotMakeNetns, type LabNetns, NetnsLab } from '#shared/testing/netns-lab.ts';
import { openDescriptors } from '#shared/testing/open-descriptors.ts';
import { endpointOf, mesh, service, workload } from '#shared/testing/topology.ts';
import { CAPTURE_PORTS } from '../redirect/capture-rules.ts';
import { createNft } from '../redirect/nft.ts';
import { Redirection } from '../redirect/redirection.ts';
import { testSettings } from '../testing/settings.ts';
import { DnsServer } from './dns-server.ts';
import { framed, MessageReader } from './message-reader.ts';
import { askFrom, openIn } from './testing/datagrams.ts';
import { decodeMessage, encodeQuery, encodeReply, type Message, TYPES } from './testing/messages.ts';
import { NameServer } from './testing/name-server.ts';

const skip = cannotMakeNetns();
const PORT = CAPTURE_PORTS.dns;
const SERVER_V4 = { ip: '10.77.0.1', port: 53 };
const SERVER_V6 = { ip: 'fd77::1', port: 53 };
const POD = { uid: 'u1', name: 'client', namespace: 'default', serviceAccount: 'client' };
const NO_PROBES = { ports: CAPTURE_PORTS, probeSources: [], sysctlDirectory: '/proc/sys/net' };

const addresses = (...ips: string[]) => ips.map(ip => ({ network: '', ip, prefixLength: undefined }));
const db = service('db');
const VIEW = mesh({
  workloads: [
    workload('client', { addresses: ['10.77.0.2', 'fd77::2'] }),
    workload('db-0', {
      addresses: ['10.0.0.7'],
      dnsName: `db-0.${db.hostname}`,
      services: endpointOf(db),
    }),
  ],
  services: [
    db,
    service('orders', { addresses: addresses('10.96.0.1') }),
    service('api', {
      hostname: 'api.test',
      canonical: false,
      addresses: addresses('240.240.0.1', '2001:2::1'),
    }),
    service('many', {
      hostname: 'many.test',
      canonical: false,
      addresses: addresses(...Array.from({ length: 40 }, (_, i) => `240.240.1.${i}`)),
    }),
  ],
});

/** A pod whose DNS is captured, and name servers outside of it. */
async function setUp(
  t: Test,
  { clock = systemClock, captureDns = true }: { clock?: Clock; captureDns?: boolean } = {},
) {
  const lab = new NetnsLab();
  const v4 = await NameServer.listen(lab.client, SERVER_V4.ip);
  const v6 = await NameServer.listen(lab.client, SERVER_V6.ip);
  const metrics = new MetricSet();
  const lines: string[] = [];
  const dns = new DnsServer({
    view: VIEW,
    isKnown: () => true,
    isCurrent: () => true,
    settings: testSettings,
    clock,
    random: () => 0,
    metrics,
    logger: loggerInto(lines, { scope: 'ztunnel', level: 'debug', now: () => clock.now() }),
    ownServers: [],
  });
  await dns.serve({ ...POD, ips: [lab.pod.ipv4, lab.pod.ipv6] }, lab.pod.netns.fd, PORT);
  const redirection = new Redirection(lab.pod.netns.fd, { ...NO_PROBES, captureDns }, createNft(systemClock));
  await redirection.apply();
  const counts = (name: string): string[] =>
    (metrics.snapshot().find(family => family.name === name)?.series ?? []).map(
      ({ labelValues, value }) => `${labelValues.join(' ')} ${value}`,
    );
  const close = async (): Promise<void> => {
    await dns.stop();
    v4.close();
    v6.close();
    lab.close();
  };
  t.teardown(close);
  const ask = async (query: Buffer, to = SERVER_V4): Promise<Message> =>
    decodeMessage(await askFrom(lab.pod, query, to));
  return { ask, counts, dns, lab, lines, redirection, v4, v6 };
}

/** Messages of one connection, in the order in which they come. */
async function askOverTcp(from: LabNetns, queries: readonly Buffer[], to = SERVER_V4): Promise<Message[]> {
  const socket = await from.connect(to);
  const reader = new MessageReader();
  const messages: Buffer[] = [];
  socket.write(Buffer.concat(queries.map(framed)));
  for await (const slice of socket) {
    messages.push(...reader.push(slice as Buffer));
    if (messages.length === queries.length) break;
  }
  return messages.map(decodeMessage);
}

test('pods of a headless Service by their names, and names that none of them has', { skip }, async t => {
  const { ask, counts, lab, lines, v4 } = await setUp(t);
  const query = (pod: string, id: number): Buffer =>
    encodeQuery({ name: `${pod}.${db.hostname}`, id, udpBytes: 1232 });
  t.match(await ask(query('db-0', 7)), { id: 7, code: 0, answers: [{ data: '10.0.0.7' }] });
  const nobody = { id: 8, code: 3, answers: { length: 0 }, question: { name: `db-1.${db.hostname}` } };
  t.match(await ask(query('db-1', 8)), nobody);
  t.match(await askOverTcp(lab.pod, [query('db-1', 8)]), [nobody]);
  t.equal(v4.heard.length, 0, 'no name server hears of them');
  t.same(counts('istio_dns_requests_total').sort(), [
    'client default tcp answered 1',
    'client default udp answered 2',
  ]);
  t.match(lines.join('\n'), /result="answered".*name="db-1\.db.*why="no endpoint of that name"/);
});

test('over UDP and TCP, IPv4 and IPv6: known names are answered, others reach whom the pod asked', {
  skip,
}, async t => {
  const { ask, counts, lab, lines, v4, v6 } = await setUp(t);
  const known = encodeQuery({ name: 'api.test.default.svc.cluster.local', id: 7 });
  for (const [to, server, from, own] of [
    [SERVER_V4, v4, '10.77.0.2', '192.0.2.1'],
    [SERVER_V6, v6, 'fd77::2', '192.0.2.1'],
  ] as const) {
    const answers = [{ type: TYPES.CNAME, data: 'api.test' }, { data: '240.240.0.1' }];
    t.match(await ask(known, to), { id: 7, code: 0, answers });
    t.match(await askOverTcp(lab.pod, [known], to), [{ id: 7, answers }]);
    t.equal(server.heard.length, 0, 'no name server hears of them');

    const far = encodeQuery({ name: 'FAR.example', id: 8, udpBytes: 1232 });
    t.match(await ask(far, to), { id: 8, answers: [{ data: own }] });
    t.match(await askOverTcp(lab.pod, [far], to), [{ id: 8, answers: [{ data: own }] }]);
    t.same(
      server.heard.map(({ via, from: source, bytes }) => [via, source, bytes.subarray(2)]),
      [
        ['udp', from, far.subarray(2)],
        ['tcp', from, far.subarray(2)],
      ],
      "byte for byte, from the pod's own address",
    );
  }
  t.same(counts('istio_dns_requests_total').sort(), [
    'client default tcp answered 2',
    'client default tcp forwarded 2',
    'client default udp answered 2',
    'client default udp forwarded 2',
  ]);
  t.same(counts('istio_dns_upstream_requests_total').sort(), [
    'client default tcp 2',
    'client default udp 2',
  ]);
  t.match(
    lines.join('\n'),
    /debug\tztunnel::dns\t.*dns query\tpod="client" namespace="default" transport="udp" result="forwarded" name="far\.example" type="A" why="not known here; answered by 10\.77\.0\.1:53"/,
  );
});

test('what is not understood is handed on and back as it is', { skip }, async t => {
  const { lab, v4 } = await setUp(t);
  const odd = Buffer.concat([
    encodeQuery({ name: 'api.test', flags: 0x2800, id: 5 }),
    Buffer.from([1, 2, 3]),
  ]);
  v4.answer = ({ bytes }) => {
    const echo = Buffer.from(bytes);
    echo.writeUInt16BE(0xa805, 2);
    return echo;
  };
  const expected = Buffer.from(odd);
  expected.writeUInt16BE(0xa805, 2);
  t.same(await askFrom(lab.pod, odd, SERVER_V4), expected, 'an update (RFC 2136)');
  const srv = encodeQuery({ name: 'api.test', type: TYPES.SRV });
  v4.answer = ({ bytes }) => Buffer.concat([encodeReply(bytes, []), Buffer.from('odd')]);
  t.same((await askFrom(lab.pod, srv, SERVER_V4)).subarray(-3).toString(), 'odd', 'SRV of a known name');
});

test('a transfer of a zone, which has many answers, is refused and not cut', { skip }, async t => {
  const { counts, lab, v4 } = await setUp(t);
  t.match(await askOverTcp(lab.pod, [encodeQuery({ name: 'zone.example', type: 252 })]), [{ code: 4 }]);
  t.equal(v4.heard.length, 0);
  t.same(counts('istio_dns_requests_total'), ['client default tcp refused 1']);
});

test('a malformed query is told so; an answer is not answered', { skip }, async t => {
  const { ask, counts, lab, v4 } = await setUp(t);
  const socket = openIn(lab.pod, { ip: '0.0.0.0', port: 0 });
  socket.send(encodeReply(encodeQuery({ name: 'a.b' }), []), 53, SERVER_V4.ip);
  t.match(await ask(encodeQuery({ name: 'a.b', id: 3 }).subarray(0, 15)), { id: 3, code: 1 });
  socket.close();
  t.same(counts('istio_dns_requests_total').sort(), [
    'client default udp ignored 1',
    'client default udp malformed 1',
  ]);
  t.equal(v4.heard.length, 0);
});

test('several queries on one connection are answered as each can be', { skip }, async t => {
  const { lab } = await setUp(t);
  const answers = await askOverTcp(lab.pod, [
    encodeQuery({ name: 'far.example', id: 1 }),
    encodeQuery({ name: 'api.test', id: 2 }),
  ]);
  t.same(
    answers.map(({ id }) => id),
    [2, 1],
  );
});

test('one port that asks two name servers: each is asked what it was asked', { skip }, async t => {
  const { lab, v4 } = await setUp(t);
  lab.client.exec('ip', ['addr', 'add', '10.77.0.9/24', 'dev', lab.client.link]);
  const other = await NameServer.listen(lab.client, '10.77.0.9');
  t.teardown(() => other.close());
  const socket = openIn(lab.pod, { ip: '0.0.0.0', port: 40_053 });
  t.teardown(() => socket.close());
  const heard = new Map<string, string>();
  const both = new Promise<void>(resolve =>
    socket.on('message', (bytes, { address }) => {
      heard.set(address, decodeMessage(bytes).answers[0]?.data ?? '');
      if (heard.size === 2) resolve();
    }),
  );
  for (const ip of [SERVER_V4.ip, '10.77.0.9']) socket.send(encodeQuery({ name: 'far.example' }), 53, ip);
  await both;
  t.same(
    Object.fromEntries(heard),
    { '10.77.0.1': '192.0.2.1', '10.77.0.9': '192.0.2.9' },
    'and the answers come from whom the pod asked',
  );
  t.equal(v4.heard.length + other.heard.length, 2);
});

test('ports that applications have asked from are free for the proxy', { skip }, async t => {
  const { ask, counts, lab } = await setUp(t);
  // So few that the same come up again and again, while connection tracking still knows them as redirected.
  lab.pod.exec('sysctl', ['-qw', 'net.ipv4.ip_local_port_range=40000 40007']);
  for (let i = 0; i < 60; i++)
    t.match(await ask(encodeQuery({ name: `n${i}.example` })), { code: 0, answers: [{ data: '192.0.2.1' }] });
  t.same(
    counts('istio_dns_requests_total'),
    ['client default udp forwarded 60'],
    'none comes back to the proxy as a query of the pod',
  );
});

test('a name server that is not there is told of at once, over both', { skip }, async t => {
  const { ask, counts, lab } = await setUp(t);
  const nobody = { ip: '10.77.0.1', port: 53 };
  lab.client.exec('nft', [
    'add table inet t; add chain inet t i { type filter hook input priority 0; }; add rule inet t i udp dport 53 reject; add rule inet t i tcp dport 53 reject with tcp reset',
  ]);
  const query = encodeQuery({ name: 'far.example', id: 4 });
  t.match(await ask(query, nobody), { id: 4, code: 2, question: { name: 'far.example' } });
  t.match(await askOverTcp(lab.pod, [query]), [{ id: 4, code: 2 }]);
  t.match(await ask(encodeQuery({ name: 'api.test' })), { code: 0, answers: [{ data: '240.240.0.1' }] });
  t.same(counts('istio_dns_upstream_failures_total').sort(), [
    'client default tcp unreachable 1',
    'client default udp unreachable 1',
  ]);
});

test('more than a pod may have under way are refused; known names are not among them', { skip }, async t => {
  const { ask, counts, lab, v4 } = await setUp(t);
  v4.answer = () => undefined;
  const socket = openIn(lab.pod, { ip: '0.0.0.0', port: 0 });
  t.teardown(() => socket.close());
  const refused = new Promise<Message>(resolve =>
    socket.on('message', bytes => resolve(decodeMessage(bytes))),
  );
  for (let id = 0; id < 513; id++) {
    socket.send(encodeQuery({ name: 'far.example', id }), 53, SERVER_V4.ip);
    while (id < 512 && v4.heard.length <= id) await new Promise(resolve => setImmediate(resolve));
  }
  t.match(await refused, { id: 512, code: 2 });
  t.match(await ask(encodeQuery({ name: 'api.test' })), { code: 0 });
  t.same(counts('istio_dns_upstream_failures_total'), ['client default udp limit 1']);
});

test('a pod that leaves leaves nothing open, whatever is under way', { skip }, async t => {
  const { dns, lab, v4 } = await setUp(t);
  v4.answer = () => undefined;
  await dns.leave(POD.uid);
  const descriptors = openDescriptors();
  await dns.serve({ ...POD, ips: [lab.pod.ipv4] }, lab.pod.netns.fd, PORT);
  const socket = openIn(lab.pod, { ip: '0.0.0.0', port: 0 });
  const tcp = await lab.pod.connect(SERVER_V4);
  socket.send(encodeQuery({ name: 'far.example' }), 53, SERVER_V4.ip);
  tcp.write(framed(encodeQuery({ name: 'far.example' })));
  while (v4.heard.length < 2) await new Promise(resolve => setImmediate(resolve));
  const closed = new Promise(resolve => tcp.once('close', resolve));
  await dns.leave(POD.uid);
  socket.close();
  await closed;
  // The name server's end of the connection that was cut.
  while (openDescriptors() > descriptors) await new Promise(resolve => setImmediate(resolve));
  await t.rejects(askFrom(lab.pod, encodeQuery({ name: 'api.test' }), SERVER_V4), { code: 'ECONNREFUSED' });
});

test('nobody outside of the pod is answered, and other pods of the node are not touched', {
  skip,
}, async t => {
  const { ask, lab, redirection } = await setUp(t);
  const query = encodeQuery({ name: 'api.test' });
  for (const ip of [lab.pod.ipv4, lab.pod.ipv6]) {
    await t.rejects(askFrom(lab.client, query, { ip, port: PORT }), { code: 'ECONNREFUSED' });
    await t.rejects(lab.client.connect({ ip, port: PORT }));
  }
  t.match(await ask(query), { answers: [{ data: '240.240.0.1' }] });
  await redirection.reconfigure({ ...NO_PROBES, captureDns: false });
  t.match(
    await ask(query),
    { answers: [{ data: '192.0.2.1' }] },
    'without the rules a query goes where it goes',
  );
  await redirection.reconfigure({ ...NO_PROBES, captureDns: true });
  t.match(await ask(query), { answers: [{ data: '240.240.0.1' }] });
});

test('while the rules go, a port that was redirected is still answered', { skip }, async t => {
  const { lab, redirection } = await setUp(t);
  const query = encodeQuery({ name: 'api.test' });
  const askAgain = async (): Promise<string> =>
    decodeMessage(await askFrom(lab.pod, query, SERVER_V4, 40_099)).answers[0]?.data ?? '';
  t.equal(await askAgain(), '240.240.0.1');
  await redirection.drain();
  t.equal(await askAgain(), '240.240.0.1', 'connection tracking goes on with what it has begun');
  await redirection.remove();
  t.equal(await askAgain(), '192.0.2.1', 'without the rules nothing is redirected');
});

/** What a resolver that is not ours finds, in a process inside the pod. */
async function resolveInside(
  netns: LabNetns,
  calls: readonly (readonly [string, string])[],
): Promise<unknown> {
  const program = `
    import { Resolver } from 'node:dns/promises';
    const resolver = new Resolver({ timeout: 3000, tries: 2 });
    resolver.setServers(['10.77.0.1']);
    const found = [];
    for (const [method, name] of ${JSON.stringify(calls)})
      found.push(await resolver[method](name).catch(error => error.code));
    console.log(JSON.stringify(found));`;
  const child = runInNetns(netns.netns.fd, () =>
    spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] }),
  );
  return parseJson(await text(child.stdout));
}

test("Node's resolver (c-ares) reads what is answered", { skip }, async t => {
  const { lab, v4 } = await setUp(t);
  v4.answer = ({ bytes, via }) => {
    const { question } = decodeMessage(bytes);
    if (question?.name !== 'big.example') return encodeReply(bytes, [], 0x8183);
    // Longer than c-ares takes over UDP without being told so.
    const ips = Array.from({ length: 200 }, (_, i) => `198.51.100.${i}`);
    return encodeReply(bytes, via === 'udp' ? ips : ips.slice(0, 3));
  };
  const found = await resolveInside(lab.pod, [
    ['resolve4', 'orders.default.svc.cluster.local'],
    ['resolve6', 'orders.default.svc.cluster.local'],
    ['resolve6', 'api.test'],
    ['resolve4', 'api.test.default.svc.cluster.local'],
    ['resolveCname', 'api.test'],
    ['resolve4', 'many.test'],
    ['resolveSrv', 'api.test'],
    ['resolve4', 'far.example'],
    ['resolve4', 'big.example'],
  ]);
  t.same(found, [
    ['10.96.0.1'],
    'ENODATA',
    ['2001:2::1'],
    ['240.240.0.1'],
    'ENOTFOUND',
    Array.from({ length: 40 }, (_, i) => `240.240.1.${i}`),
    'ENOTFOUND',
    'ENOTFOUND',
    ['198.51.100.0', '198.51.100.1', '198.51.100.2'],
  ]);
});

test('getent (the C library) finds a host with the search domains of a pod', { skip }, async t => {
  const { lab, v4 } = await setUp(t);
  const directory = `/etc/netns/${lab.pod.name}`;
  mkdirSync(directory, { recursive: true });
  t.teardown(() => rmSync(directory, { recursive: true }));
  writeFileSync(
    `${directory}/resolv.conf`,
    'nameserver 10.77.0.1\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n',
  );
  v4.answer = ({ bytes }) => encodeReply(bytes, [], 0x8183);
  const found = async (name: string): Promise<string> => {
    const args = ['netns', 'exec', lab.pod.name, 'getent', 'ahosts', name];
    return text(spawn('ip', args, { stdio: ['ignore', 'pipe', 'inherit'] }).stdout);
  };
  t.match(await found('orders'), /^10\.96\.0\.1 +STREAM orders\.default\.svc\.cluster\.local/);
  const api = await found('api.test');
  t.match(api, /^240\.240\.0\.1 +STREAM/m);
  t.match(api, /^2001:2::1 +STREAM/m);
  t.match(api, / api\.test$/m, 'by the name that it is an alias of');
  t.equal(await found('far.example'), '');
  t.ok(v4.heard.length >= 4, 'which is asked for with each search domain');
});
