import { test } from 'tap';
import { eventually } from '../eventually.ts';
import { echoPod, pod, service } from '../objects.ts';
import { nodeNames, skip, type TestNamespace, testNamespace } from '../test-namespace.ts';
import { loadReport } from '../load-report.ts';
import { watchWire } from '../wire.ts';

/** What is open may end by itself first. */
const RELEASE_DEADLINE_MS = 60_000;

/** What ztunnel sets in a captured pod's namespace, where its container may write it. */
async function keepsMarks(ns: TestNamespace): Promise<string> {
  return (await ns.exec('server', 'cat', '/proc/sys/net/ipv4/tcp_fwmark_accept')).stdout.trim();
}

test('a label takes running pods into the mesh and out of it, and no connection fails', { skip }, async t => {
  const [one = '', two = one] = await nodeNames();
  const ns = await testNamespace(t, 'enrol', { meshed: false });
  await ns.apply(service('server'), echoPod('server', { node: two }), pod('client', { node: one }));
  await ns.ready({ captured: false });
  await ns.reachable('client', 'http://server/');
  const ip = await ns.podIp('server');
  const before = await ns.request('client', 'http://server/');
  t.equal(before.status, 200, before.error);
  t.equal(before.seen?.remote, await ns.podIp('client'), 'the server sees the client’s own address');

  const load = ns.load('client', '--seconds=12', '--rate=50', '--fresh', 'http://server/');
  const stream = ns.load('client', '--seconds=12', '--stream', 'server:9000');
  await ns.setMode('ambient');
  const took = await ns.captured();
  t.comment(`captured ${took.toFixed(0)} ms after the label was written`);
  t.equal(await keepsMarks(ns), '1', 'answers find ztunnel by the mark of their sockets');
  const encrypted = await watchWire(two, `host ${ip}`, async () => {
    const answer = await ns.request('client', 'http://server/secret-question');
    t.equal(answer.status, 200, answer.error);
    t.equal(answer.seen?.remote, before.seen?.remote, 'the server still sees the client’s own address');
  });
  t.ok(encrypted.packetsTo(15008) > 0, 'HBONE on the wire');
  t.notMatch(encrypted.text, /secret-question/, 'nothing of it can be read');

  await ns.setMode(undefined);
  await ns.released();
  const plain = await watchWire(two, `host ${ip}`, async () => {
    t.equal((await ns.request('client', 'http://server/plain-question')).status, 200);
  });
  t.match(plain.text, /plain-question/, 'out of the mesh it is plaintext again');

  await eventually('nothing is left of what was set', RELEASE_DEADLINE_MS, async () =>
    (await keepsMarks(ns)) === '0' ? true : 'not yet',
  );

  const requests = loadReport(await load.done);
  t.equal(requests.failed, 0, `new connections: ${JSON.stringify(requests)}`);
  const kept = loadReport(await stream.done);
  t.equal(kept.failed, 0, `a connection kept through both: ${JSON.stringify(kept)}`);
});

test('the pod’s own label wins over its namespace’s', { skip }, async t => {
  const ns = await testNamespace(t, 'optout');
  await ns.apply(
    service('server'),
    echoPod('server', { labels: { 'istio.io/dataplane-mode': 'none' } }),
    pod('client'),
  );
  await ns.ready({ captured: false });
  await ns.captured('client');
  await ns.released('server');
  t.equal((await ns.request('client', 'http://server/')).status, 200, 'from within to without');
});
