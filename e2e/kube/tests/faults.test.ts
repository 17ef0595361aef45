import { test } from 'tap';
import { eventually } from '../eventually.ts';
import { getField, kubectl, listObjects } from '../kubectl.ts';
import { loadReport } from '../load-report.ts';
import { echoPod, echoWorkload, pod, service, serviceAccount } from '../objects.ts';
import { MESH_NAMESPACE, nameOf, nodeNames, skip, testNamespace } from '../test-namespace.ts';

const ROLLOUT_TIMEOUT = '--timeout=120s';
const SECRET_DEADLINE_MS = 10_000;
const rollout = (...args: string[]): Promise<string> =>
  kubectl(['rollout', ...args, '-n', MESH_NAMESPACE], { timeoutMs: 150_000 });

test('the controller is down: what is there goes on', { skip }, async t => {
  const ns = await testNamespace(t, 'nocontroller');
  await ns.apply(service('server'), echoWorkload('server', { replicas: 2 }), pod('client'));
  await ns.ready();
  await ns.reachable('client', 'http://server/');
  const scale = ['scale', '-n', MESH_NAMESPACE, 'deployment/ambient-controller'];
  await kubectl([...scale, '--replicas=0']);
  try {
    const load = loadReport(
      await ns.load('client', '--seconds=10', '--rate=100', '--fresh', 'http://server/').done,
    );
    t.equal(load.failed, 0, JSON.stringify(load));
  } finally {
    await kubectl([...scale, '--replicas=2']);
    await rollout('status', 'deployment/ambient-controller', ROLLOUT_TIMEOUT);
  }
  await ns.apply(echoPod('late'), service('late'));
  await ns.ready();
  await ns.reachable('client', 'http://late/');
  t.pass('and when it is back it knows of new pods');
});

test('one replica of the controller is killed, the leader or not: nothing is lost', { skip }, async t => {
  const ns = await testNamespace(t, 'leader');
  const pods = await listObjects(MESH_NAMESPACE, 'pods', 'app.kubernetes.io/name=ambient-controller');
  t.ok(pods.length > 1, `${pods.length} replicas`);
  await ns.apply(service('server'), pod('client'));
  await kubectl([
    'delete',
    'pod',
    '-n',
    MESH_NAMESPACE,
    nameOf(pods[0] ?? {}),
    '--grace-period=0',
    '--force',
  ]);
  await ns.apply(echoPod('server'));
  await ns.ready();
  await ns.reachable('client', 'http://server/');
  await rollout('status', 'deployment/ambient-controller', ROLLOUT_TIMEOUT);
});

test('the Secret of the CA is deleted: it is made again, and controllers that are restarted have the same root', {
  skip,
}, async t => {
  const ns = await testNamespace(t, 'lostca');
  await ns.apply(service('server'), echoPod('server'), pod('client'));
  await ns.ready();
  await ns.reachable('client', 'http://server/');
  const roots = (): Promise<string> =>
    getField(MESH_NAMESPACE, 'configmap', 'ambient-ca-root-cert', '.data.root-cert\\.pem');
  const before = await roots();
  await kubectl(['delete', 'secret', '-n', MESH_NAMESPACE, 'ambient-ca']);
  await eventually('the Secret is there again', SECRET_DEADLINE_MS, async () =>
    (await listObjects(MESH_NAMESPACE, 'secrets')).some(s => nameOf(s) === 'ambient-ca') ? true : 'gone',
  );
  const load = ns.load('client', '--seconds=30', '--rate=50', '--fresh', 'http://server/');
  await rollout('restart', 'deployment/ambient-controller');
  await rollout('status', 'deployment/ambient-controller', ROLLOUT_TIMEOUT);
  const report = loadReport(await load.done);
  t.equal(report.failed, 0, JSON.stringify(report));
  t.equal(await roots(), before);
  // With a certificate that the restarted ones signed.
  await ns.apply(serviceAccount('late'), echoPod('late', { serviceAccount: 'late' }), service('late'));
  await ns.ready();
  await ns.reachable('client', 'http://late/');
});

test('ztunnel is rolled over under load: no connection fails, none that lives is cut', { skip }, async t => {
  const [one = '', two = one] = await nodeNames();
  const ns = await testNamespace(t, 'ztunnelroll');
  await ns.apply(service('server'), echoPod('server', { node: two }), pod('client', { node: one }));
  await ns.ready();
  await ns.reachable('client', 'http://server/');
  const fresh = ns.load('client', '--seconds=25', '--rate=50', '--fresh', 'http://server/');
  const stream = ns.load('client', '--seconds=20', '--stream', 'server:9000');
  await rollout('restart', 'daemonset/ztunnel');
  const report = loadReport(await fresh.done);
  t.equal(report.failed, 0, `new connections: ${JSON.stringify(report)}`);
  const kept = loadReport(await stream.done);
  t.equal(kept.failed, 0, `a kept one, within the grace of 30 s: ${JSON.stringify(kept)}`);
  await rollout('status', 'daemonset/ztunnel', ROLLOUT_TIMEOUT);
});

test('ztunnel is killed: pods are refused, not let out, and served again when it is back', {
  skip,
}, async t => {
  const [one = '', two = one] = await nodeNames();
  const ns = await testNamespace(t, 'ztunnelkill');
  await ns.apply(service('server'), echoPod('server', { node: two }), pod('client', { node: one }));
  await ns.ready();
  await ns.reachable('client', 'http://server/');
  const [victim] = (await listObjects(MESH_NAMESPACE, 'pods', 'app.kubernetes.io/name=ztunnel')).filter(p =>
    JSON.stringify(p).includes(`"nodeName":"${one}"`),
  );
  const load = ns.load('client', '--seconds=15', '--rate=50', '--fresh', 'http://server/');
  await kubectl(['delete', 'pod', '-n', MESH_NAMESPACE, nameOf(victim ?? {}), '--grace-period=0', '--force']);
  const report = loadReport(await load.done);
  t.ok(report.ok > 300, `most of it went through: ${JSON.stringify(report)}`);
  await rollout('status', 'daemonset/ztunnel', ROLLOUT_TIMEOUT);
  await ns.reachable('client', 'http://server/');
});

test('a server is rolled over under 500 requests a second: none fails', { skip }, async t => {
  const ns = await testNamespace(t, 'serverroll');
  await ns.apply(service('server'), pod('client'));
  // It goes on for a moment after the signal, as every server behind kube-proxy has to.
  const container = {
    readinessProbe: { httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 1 },
    lifecycle: { preStop: { exec: { command: ['sleep', '3'] } } },
  };
  await ns.apply(
    echoWorkload('server', { replicas: 2, container, spec: { terminationGracePeriodSeconds: 10 } }),
  );
  await ns.ready();
  await ns.reachable('client', 'http://server/');
  const load = ns.load('client', '--seconds=20', '--rate=500', 'http://server/');
  await kubectl(['rollout', 'restart', '-n', ns.name, 'deployment/server']);
  await kubectl(['rollout', 'status', '-n', ns.name, 'deployment/server', ROLLOUT_TIMEOUT], {
    timeoutMs: 150_000,
  });
  const report = loadReport(await load.done);
  t.equal(report.failed, 0, JSON.stringify(report));
  t.ok(report.ok > 9_000, `${report.ok} requests`);
});
