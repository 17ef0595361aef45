import { test } from 'tap';
import { install } from '../installation.ts';
import { getField, kubectl } from '../kubectl.ts';
import { loadReport } from '../load-report.ts';
import { echoPod, pod, service } from '../objects.ts';
import { MESH_NAMESPACE, nodeNames, skip, testNamespace } from '../test-namespace.ts';

const rolledOut = (what: string): Promise<string> =>
  kubectl(['rollout', 'status', '-n', MESH_NAMESPACE, what, '--timeout=120s'], { timeoutMs: 150_000 });

test('helm upgrade changes ztunnel and controller: no connection fails, none is cut within its grace', {
  skip,
}, async t => {
  const [one = '', two = one] = await nodeNames();
  // Before the namespace's, which keeps what this version has said.
  t.teardown(() => install(['global.log.level=info']));
  const ns = await testNamespace(t, 'upgrade');
  await ns.apply(service('server'), echoPod('server', { node: two }), pod('client', { node: one }));
  await ns.ready();
  await ns.reachable('client', 'http://server/');
  const generation = () => getField(MESH_NAMESPACE, 'daemonset', 'ztunnel', '.metadata.generation');
  const before = await generation();

  const fresh = ns.load('client', '--seconds=40', '--rate=50', '--fresh', 'http://server/');
  // The grace is 30 s from when the new one is ready: this one begins before and ends within it.
  const kept = ns.load('client', '--seconds=25', '--stream', 'server:9000');
  await install(['global.log.level=debug']);
  await rolledOut('daemonset/ztunnel');
  await rolledOut('deployment/ambient-controller');
  t.not(await generation(), before, 'both were replaced');
  const stream = loadReport(await kept.done);
  t.equal(stream.failed, 0, `a connection kept through it: ${JSON.stringify(stream)}`);
  const requests = loadReport(await fresh.done);
  t.equal(requests.failed, 0, `new connections: ${JSON.stringify(requests)}`);
  const late = ns.load('client', '--seconds=5', '--rate=50', '--fresh', 'http://server/');
  t.equal(loadReport(await late.done).failed, 0, 'and after it');
});
