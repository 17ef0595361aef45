import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import { eventually } from '../eventually.ts';
import { kubectl, listObjects } from '../kubectl.ts';
import { loadReport } from '../load-report.ts';
import { apiServerPid, crashNode } from '../machine-faults.ts';
import { echoPod, pod, service } from '../objects.ts';
import { MESH_NAMESPACE, nodeNames, skip as noCluster, testNamespace } from '../test-namespace.ts';
import { watchWire } from '../wire.ts';

const ELSEWHERE = 'needs a cluster whose programs are processes of this machine';
const skip = noCluster || (apiServerPid() === undefined && ELSEWHERE);
const AWAY_MS = 8_000;
const BACK_DEADLINE_MS = 90_000;

test('the API server answers nobody for a while: traffic goes on', { skip }, async t => {
  const ns = await testNamespace(t, 'noapi');
  await ns.apply(service('server'), echoPod('server'), pod('client'), service('late'));
  await ns.ready();
  await ns.reachable('client', 'http://server/');
  // By address: the cluster's DNS is not what is tested here.
  const ip = await ns.podIp('server');
  const load = ns.load('client', '--seconds=12', '--rate=50', '--fresh', `http://${ip}:8080/`);
  const stream = ns.load('client', '--seconds=12', '--stream', `${ip}:9000`);
  // kubectl exec goes by the API server, and has to be through.
  await sleep(3_000);
  const pid = apiServerPid() ?? 0;
  process.kill(pid, 'SIGSTOP');
  try {
    await sleep(AWAY_MS);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  for (const running of [load, stream]) {
    const report = loadReport(await running.done);
    t.equal(report.failed, 0, JSON.stringify(report));
  }
  await ns.apply(echoPod('late'));
  await ns.ready();
  await ns.reachable('client', 'http://late/');
  t.pass('and when it is back, new pods are known');
});

test('a node crashes and comes back: no pod of it runs outside the mesh', { skip }, async t => {
  const [one = '', two = one] = await nodeNames();
  const ns = await testNamespace(t, 'crash');
  await ns.apply(service('server'), echoPod('server', { node: two }), pod('client', { node: one }));
  await ns.ready();
  await ns.reachable('client', 'http://server/');
  t.comment(`${crashNode(two)} processes killed`);
  await eventually('the mesh is back on both nodes', BACK_DEADLINE_MS, async () => {
    const pods = await listObjects(MESH_NAMESPACE, 'pods', 'app.kubernetes.io/name=ztunnel');
    const ready = pods.filter(
      p => JSON.stringify(p).includes('"type":"Ready"') && /"ready":true/.test(JSON.stringify(p)),
    );
    const restarted = pods.some(p => /"restartCount":[1-9]/.test(JSON.stringify(p)));
    return ready.length === pods.length && restarted
      ? true
      : `${ready.length} ready, restarted: ${restarted}`;
  });
  await eventually('the server answers again', BACK_DEADLINE_MS, async () => {
    const { status, error } = await ns.request('client', 'http://server/');
    return status === 200 ? true : error;
  });
  await ns.ready();
  const ip = await ns.podIp('server');
  const wire = await watchWire(two, `host ${ip}`, async () => {
    await ns.reachable('client', 'http://server/after-the-crash');
  });
  t.ok(wire.packetsTo(15008) > 0, 'HBONE on the wire');
  t.notMatch(wire.text, /after-the-crash/, 'and nothing in plain text');
  await kubectl(['rollout', 'status', '-n', MESH_NAMESPACE, 'daemonset/ztunnel', '--timeout=60s']);
});
