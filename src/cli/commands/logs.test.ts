import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { followFile } from '../follow-file.ts';
import { FakeCluster } from '../testing/fake-cluster.ts';
import { withFakeMesh } from '../testing/fake-mesh.ts';
import { expectGolden } from '../testing/golden.ts';
import { runLine, testPlatform } from '../testing/test-cli.ts';

const PODS = `
kind: Pod
metadata: { name: ztunnel-a, namespace: istio-system, labels: { app.kubernetes.io/name: ztunnel } }
spec: { nodeName: node-a }
status: { phase: Running }
---
kind: Pod
metadata: { name: ztunnel-b, namespace: istio-system, labels: { app.kubernetes.io/name: ztunnel } }
spec: { nodeName: node-b }
status: { phase: Running }
---
kind: Pod
metadata: { name: waypoint-a, namespace: shop, labels: { gateway.networking.k8s.io/gateway-name: waypoint } }
spec: { nodeName: node-b }
status: { phase: Running }
`;

const DEDICATED = `
kind: Pod
metadata: { name: payments-v1-0, namespace: shop, labels: { app.kubernetes.io/name: ztunnel } }
spec: { nodeName: node-a }
status: { phase: Running }
`;

test('logs of all proxies, and of those that a pod is behind', async t => {
  await withFakeMesh(async (_dir, mesh) => {
    const cluster = new FakeCluster().add(PODS);
    cluster.admin.set('istio-system/ztunnel-a', { socketPath: mesh.get('ztunnel-a') ?? '' });
    cluster.logs.set('istio-system/ztunnel-a', ['INFO ready', 'INFO connection complete']);
    cluster.logs.set('istio-system/ztunnel-b', ['WARN capture repaired']);
    cluster.logs.set('shop/waypoint-a', ['INFO request complete']);
    const all = await runLine('logs --context c', testPlatform(cluster));
    expectGolden(t, 'logs', `$ ambientctl logs\n${all.out}`);
    const pod = await runLine('logs shop/payments-v1-0 --context c', testPlatform(cluster));
    t.match(pod.out, /ztunnel-a +\| INFO ready/);
    t.match(pod.out, /waypoint-a \| INFO request complete/, 'its service is behind this waypoint');
    t.notMatch(pod.out, /ztunnel-b/, 'which is on another node');
    const one = await runLine('logs ztunnel-b --context c', testPlatform(cluster));
    t.equal(one.out, 'WARN capture repaired\n', 'one proxy: no prefix');
  });
});

test('of a pod with a ztunnel of its own there is that log, whichever ztunnel answers', async t => {
  await withFakeMesh(async (_dir, mesh) => {
    const cluster = new FakeCluster().add(PODS).add(DEDICATED);
    cluster.admin.set('istio-system/ztunnel-b', { socketPath: mesh.get('ztunnel-a') ?? '' });
    cluster.logs.set('istio-system/ztunnel-a', ['INFO of the node']);
    cluster.logs.set('shop/payments-v1-0', ['INFO of the pod']);
    const { out, err, status } = await runLine('logs shop/payments-v1-0 --context c', testPlatform(cluster));
    t.equal(status, 0);
    t.match(out, /payments-v1-0 +\| INFO of the pod/);
    t.notMatch(out, /of the node/);
    t.match(err, /warning: cannot reach /, 'the first that was asked does not answer');
  });
});

test('a proxy whose node is down does not keep the others from being read', async t => {
  const cluster = new FakeCluster().add(PODS);
  cluster.unreachable.add('istio-system/ztunnel-a');
  cluster.logs.set('istio-system/ztunnel-b', ['WARN capture repaired']);
  for (const follow of ['', ' --follow']) {
    const { out, err, status } = await runLine(`logs --context c${follow}`, testPlatform(cluster));
    t.equal(status, 0);
    t.match(out, /ztunnel-b +\| WARN capture repaired/);
    t.match(err, /^warning: cannot read the log of istio-system\/ztunnel-a$/m);
  }
  const { status, err } = await runLine('logs ztunnel-a --context c', testPlatform(cluster));
  t.equal(status, 1, 'where none can be read it fails');
  t.match(err, /cannot read the log of istio-system\/ztunnel-a/);
});

const NEW_POD = (node: string): string =>
  `kind: Pod\nmetadata: { name: new-0, namespace: shop }\nspec: { nodeName: ${node} }\nstatus: { phase: Running }`;

test('a pod that the ztunnels have not heard of: the log is that of its node, or it is said that there is none', async t => {
  await withFakeMesh(async (_dir, mesh) => {
    const ask = (node: string) => {
      const cluster = new FakeCluster().add(PODS).add(NEW_POD(node));
      cluster.admin.set('istio-system/ztunnel-a', { socketPath: mesh.get('ztunnel-a') ?? '' });
      cluster.logs.set('istio-system/ztunnel-b', ['WARN not told about yet']);
      return runLine('logs shop/new-0 --context c', testPlatform(cluster));
    };
    const known = await ask('node-b');
    t.equal(known.out, 'WARN not told about yet\n');
    t.match(known.err, /the ztunnels have not heard of pod shop\/new-0/);
    const alone = await ask('node-c');
    t.equal(alone.status, 1);
    t.match(alone.err, /no ztunnel is running on node node-c of pod shop\/new-0, .*see: ambientctl check/);
  });
});

test('the level is set before the log is shown', async t => {
  await withFakeMesh(async (_dir, mesh) => {
    const cluster = new FakeCluster().add(PODS);
    cluster.admin.set('shop/waypoint-a', { socketPath: mesh.get('waypoint-a') ?? '' });
    const { err, status } = await runLine('logs waypoint-a --level debug --context c', testPlatform(cluster));
    t.equal(status, 0);
    t.equal(err, 'log level of waypoint-a is debug until they restart\n');
  });
});

test('logs of a playground are its files', async t => {
  await withFakeMesh(async dir => {
    mkdirSync(join(dir, 'logs'));
    writeFileSync(join(dir, 'logs', 'ztunnel-a.log'), 'one\ntwo\nthree\n');
    const { out } = await runLine(`logs ztunnel-a --tail 2 --state-dir ${dir}`);
    t.equal(out, 'two\nthree\n');
    const { err, status } = await runLine(`logs waypoint-a --state-dir ${dir}`);
    t.equal(status, 1);
    t.match(err, /waypoint-a.log does not exist: has the proxy started\?/);
  });
});

test('a file is followed line by line until told to stop', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'follow-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const file = join(dir, 'a.log');
  writeFileSync(file, 'old\nhalf');
  const stop = new AbortController();
  const seen: string[] = [];
  const onLine = (line: string): void => {
    seen.push(line);
    if (line === 'old') appendFileSync(file, ' a line\nnext ü\n');
    if (line === 'next ü') stop.abort();
  };
  await followFile(file, { follow: true, tailLines: 10 }, onLine, stop.signal);
  t.same(seen, ['old', 'half a line', 'next ü']);
});
