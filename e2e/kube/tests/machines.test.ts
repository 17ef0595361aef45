import { setTimeout as sleep } from 'node:timers/promises';
import { type Test, test } from 'tap';
import { eventually } from '../eventually.ts';
import { kubectl, listObjects } from '../kubectl.ts';
import { loadReport } from '../load-report.ts';
import { apiServerPid, crashNode } from '../machine-faults.ts';
import { echoPod, pod, service } from '../objects.ts';
import {
  MESH_NAMESPACE,
  nodeNames,
  skip as noCluster,
  type TestNamespace,
  testNamespace,
} from '../test-namespace.ts';
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

/** Asks from its first moment on, whether or not anybody has taken it into the mesh; says each answer. */
const askAlways = (url: string): string[] => [
  'node',
  '-e',
  `setInterval(() => fetch('${url}', { signal: AbortSignal.timeout(1000) }).then(r => console.log(r.status), () => {}), 50)`,
];

test('a node crashes and comes back: no pod of it is outside the mesh for a moment', { skip }, async t => {
  const [one = '', two = one] = await nodeNames();
  const ns = await testNamespace(t, 'crash');
  await ns.apply(
    service('server'),
    echoPod('server', { node: two }),
    pod('client', { node: one }),
    echoPod('other', { node: one }),
  );
  await ns.ready();
  const asked = `http://${await ns.podIp('other')}:8080/`;
  await ns.apply(pod('caller', { node: two, command: askAlways(asked) }));
  await ns.ready();
  await ns.reachable('client', 'http://server/');
  // Where its pods will be, whatever their addresses: a crashed pod gets another one.
  const crashedPods = (await ns.podIp('caller')).replace(/\d+$/, '0/24');
  const wire = await watchWire(one, `src net ${crashedPods} and (dst port 8080 or dst port 15008)`, () =>
    crashAndComeBack(t, ns, two),
  );
  t.ok(wire.packetsTo(15008) > 0, 'what its pods said came by HBONE');
  t.equal(wire.packetsTo(8080), 0, 'and none of it in plain text, at any moment');
  const ip = await ns.podIp('server');
  const inbound = await watchWire(two, `host ${ip}`, async () => {
    await ns.reachable('client', 'http://server/after-the-crash');
  });
  t.ok(inbound.packetsTo(15008) > 0, 'HBONE on the wire to its pods');
  t.notMatch(inbound.text, /after-the-crash/, 'and nothing in plain text');
  await kubectl(['rollout', 'status', '-n', MESH_NAMESPACE, 'daemonset/ztunnel', '--timeout=60s']);
});

/** Over when the pods of the node answer, and ask, again. */
async function crashAndComeBack(t: Test, ns: TestNamespace, two: string): Promise<void> {
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
  await eventually('the caller has answers again', BACK_DEADLINE_MS, async () => {
    const log = await kubectl(['logs', '-n', ns.name, 'caller', '--tail=1']).catch(String);
    return log === '200\n' ? true : log;
  });
}
