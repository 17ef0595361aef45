import { readFileSync } from 'node:fs';
import { test } from 'tap';
import type { Platform } from './cli.ts';
import { CliError } from './cli-error.ts';
import { FakeCluster } from './testing/fake-cluster.ts';
import { type FakeMesh, withFakeMesh } from './testing/fake-mesh.ts';
import { runLine, testPlatform } from './testing/test-cli.ts';

const PODS = `
kind: Pod
metadata: { name: ztunnel-a, namespace: istio-system, labels: { app.kubernetes.io/name: ztunnel } }
spec: { nodeName: node-a }
status: { phase: Running }
---
kind: Pod
metadata: { name: ztunnel-b, namespace: istio-system, labels: { app.kubernetes.io/name: ztunnel } }
spec: { nodeName: node-b }
status: { phase: Pending }
---
kind: Pod
metadata: { name: waypoint-a, namespace: shop, labels: { gateway.networking.k8s.io/gateway-name: waypoint } }
spec: { nodeName: node-a }
status: { phase: Running }
---
kind: Pod
metadata: { name: controller-a, namespace: istio-system, labels: { app.kubernetes.io/name: ambient-controller } }
spec: { nodeName: node-a }
status: { phase: Running }
---
kind: Pod
metadata: { name: orders-0, namespace: shop, labels: { app: orders } }
spec: { nodeName: node-a }
status: { phase: Running }
`;

function clusterOf(mesh: FakeMesh): FakeCluster {
  const cluster = new FakeCluster().add(PODS);
  for (const [name, socketPath] of mesh) {
    const namespace = name.startsWith('waypoint') ? 'shop' : 'istio-system';
    cluster.admin.set(`${namespace}/${name}`, { socketPath });
  }
  return cluster;
}

/** Golden name → command line, of the outputs that program.test.ts takes from a playground. */
const SAME: readonly (readonly [string, string])[] = [
  ['workloads', 'ztunnel-config workloads'],
  ['services', 'ztunnel-config services'],
  ['policies', 'ztunnel-config policies'],
  ['certificates', 'ztunnel-config certificates'],
  ['connections', 'ztunnel-config connections'],
  ['authz-check-denied', 'authz check shop/payments-v1-0 --from legacy/legacy-0'],
  ['waypoint-list', 'waypoint list'],
  ['stat-service', 'stat service -n shop -w 1'],
];

test('every command says the same of a cluster as of a playground', async t => {
  await withFakeMesh(async (_dir, mesh) => {
    for (const [golden, line] of SAME) {
      const platform = testPlatform(clusterOf(mesh));
      const { out, err, status } = await runLine(`${line} --kubeconfig k`, platform);
      t.equal(status, 0, err);
      t.equal(
        `$ ambientctl ${line}\n${out}`,
        readFileSync(`src/cli/testdata/${golden}.golden`, 'utf8'),
        line,
      );
    }
  });
});

test('a pod that is not running is no proxy, and one without labels of the mesh neither', async t => {
  await withFakeMesh(async (_dir, mesh) => {
    const { out } = await runLine('version --kubeconfig k', testPlatform(clusterOf(mesh)));
    t.match(out, /ztunnel +ztunnel-a +0\.1\.0/);
    t.notMatch(out, /ztunnel-b|orders-0/);
  });
});

test('a proxy that cannot be reached is shown as such, with the way to look at its pod', async t => {
  const { out, status } = await runLine('version --kubeconfig k', testPlatform(new FakeCluster().add(PODS)));
  t.equal(status, 0);
  t.match(out, /ztunnel-a +unreachable \(cannot reach \/nonexistent\/ztunnel-a/);
});

test('a cluster without the mesh is said to be one', async t => {
  const { err, status } = await runLine(
    'ztunnel-config workloads --kubeconfig k',
    testPlatform(new FakeCluster()),
  );
  t.equal(status, 1);
  t.equal(err, 'ambientctl: no ztunnel is running in the cluster https://10.0.0.1:6443\n');
});

test('a playground that runs goes before the cluster, unless a flag says otherwise', async t => {
  await withFakeMesh(async dir => {
    const platform = {
      ...testPlatform(),
      env: { HOME: '/nonexistent', KUBECONFIG: 'k' },
      openCluster: () => Promise.reject(new CliError('the cluster was asked')),
      isPlaygroundRunning: () => true,
    };
    const asksCluster = async (line: string, change: Partial<Platform> = {}): Promise<boolean> =>
      (await runLine(line, { ...platform, ...change })).err.includes('the cluster was asked');
    const stopped = { isPlaygroundRunning: () => false };
    t.notOk(await asksCluster('version'), 'a playground runs');
    t.ok(await asksCluster('version --context c'), 'a cluster is named');
    t.ok(await asksCluster('version', stopped), 'no playground runs');
    t.notOk(await asksCluster('version --playground', stopped), 'it is asked for');
    const named = { ...stopped, env: { ...platform.env, AMBIENT_STATE_DIR: dir } };
    t.notOk(await asksCluster('version', named), 'the variable names one');
  });
});
