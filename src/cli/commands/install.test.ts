import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { objectsOf } from '../testing/cluster-snapshot.ts';
import { FakeCluster } from '../testing/fake-cluster.ts';
import { expectGolden } from '../testing/golden.ts';
import { progressOf } from '../install/rollout.ts';
import type { ProgramResult } from '../run-program.ts';
import { type Run, runLine, testPlatform } from '../testing/test-cli.ts';

interface Outcome extends Run {
  /** Arguments of helm, the staged chart named CHART. */
  readonly helm: readonly string[];
  readonly staged: readonly string[];
}

const DONE: ProgramResult = { status: 0, stdout: 'kind: Deployment\n', stderr: '' };

async function run(
  line: string,
  cluster = new FakeCluster(),
  result: ProgramResult = DONE,
): Promise<Outcome> {
  const helm: string[] = [];
  const staged: string[] = [];
  let now = 0;
  const platform = {
    ...testPlatform(cluster),
    elapsed: () => now,
    sleep: (ms: number) => Promise.resolve(void (now += ms)),
    runProgram: (_program: string, args: readonly string[]) => {
      const chart = args.find(arg => arg.startsWith(tmpdir()));
      if (chart !== undefined)
        staged.push(
          ...['charts/base', 'charts/controller', 'charts/ztunnel'].filter(p =>
            existsSync(join(chart, p, 'Chart.yaml')),
          ),
        );
      helm.push(args.map(arg => (arg === chart ? 'CHART' : arg)).join(' '));
      return Promise.resolve(result);
    },
  };
  return { ...(await runLine(line, platform)), helm, staged };
}

const ROLLED_OUT = `
kind: Deployment
metadata: { name: ambient-controller, namespace: istio-system, labels: { app.kubernetes.io/name: ambient-controller } }
spec: { replicas: 2 }
status: { replicas: 2, readyReplicas: 2, updatedReplicas: 2 }
---
kind: DaemonSet
metadata: { name: ztunnel, namespace: istio-system, labels: { app.kubernetes.io/name: ztunnel } }
status: { desiredNumberScheduled: 2, numberReady: 2, updatedNumberScheduled: 2, currentNumberScheduled: 2 }
`;

test('install and uninstall drive helm', async t => {
  for (const [name, line] of [
    ['install', 'install --wait'],
    ['uninstall', 'uninstall'],
  ] as const) {
    const { out, err, status } = await run(line, new FakeCluster().add(ROLLED_OUT));
    t.equal(status, 0, err);
    expectGolden(t, name, `$ ambientctl ${line}\n${out}`);
  }
});

test('values, files, context and kubeconfig are handed on', async t => {
  const { helm, staged } = await run(
    'install -n mesh --release m --set a=1 --set b=2 --values v.yaml --context prod --kubeconfig k',
  );
  t.same(helm, [
    'upgrade --install --create-namespace m CHART --namespace mesh --values v.yaml --set a=1 --set b=2 --kubeconfig k --kube-context prod',
  ]);
  const forced = await run('install --skip-checks --force-conflicts');
  t.match(forced.helm, [/^upgrade --install --create-namespace --force-conflicts ambient CHART /]);
  t.same(staged, ['charts/base', 'charts/controller', 'charts/ztunnel'], 'the parts are inside');
});

test('--dry-run prints the objects, and needs no cluster', async t => {
  const offline = { ...testPlatform(), runProgram: () => Promise.resolve(DONE) };
  const { out, status } = await runLine('install --dry-run', offline);
  t.equal(status, 0);
  t.equal(out, 'kind: Deployment\n');
  t.same((await run('install --dry-run')).helm, ['template ambient CHART --namespace istio-system']);
});

test('the chart that was staged is removed, also when helm fails', async t => {
  let chart = '';
  const platform = {
    ...testPlatform(new FakeCluster()),
    runProgram: (_program: string, args: readonly string[]) => {
      chart = args.find(arg => arg.startsWith(tmpdir())) ?? '';
      return Promise.resolve({ status: 1, stdout: '', stderr: 'Error: no' });
    },
  };
  await runLine('install', platform);
  t.not(chart, '');
  t.notOk(existsSync(chart));
});

test('a cluster that is not ready is not installed into, unless told', async t => {
  const old = new FakeCluster();
  old.serverVersion = 'v1.27.0';
  const refused = await run('install', old);
  t.equal(refused.status, 1);
  t.match(refused.out, /× Kubernetes is 1.30 or newer/);
  t.match(refused.err, /not ready for an installation; --skip-checks installs all the same/);
  t.same(refused.helm, []);
  t.equal((await run('install --skip-checks', old)).helm.length, 1);
});

test('--wait ends at its deadline with what is not ready', async t => {
  const cluster = new FakeCluster().add(`
kind: DaemonSet
metadata: { name: ztunnel, namespace: istio-system, labels: { app.kubernetes.io/name: ztunnel } }
status: { desiredNumberScheduled: 2, numberReady: 1 }
---
kind: Pod
metadata: { name: ztunnel-x, namespace: istio-system, labels: { app.kubernetes.io/name: ztunnel } }
status: { phase: Pending, containerStatuses: [{ state: { waiting: { reason: ErrImageNeverPull } } }] }
`);
  const { status, err, out } = await run('install --wait --timeout 10', cluster);
  t.equal(status, 1);
  t.match(out, /ztunnel: 1\/2 ready/);
  t.match(
    err,
    /not ready after 10 s: ztunnel-x is ErrImageNeverPull; try: kubectl -n istio-system get events/,
  );
});

test('a rollout is done when the newest revision is all there is, and ready', t => {
  const daemonSet = (status: string, generation = 1): boolean | undefined => {
    const [object] = objectsOf(
      `kind: DaemonSet\nmetadata: { name: z, generation: ${generation} }\nstatus: ${status}`,
    );
    return object && progressOf(object).done;
  };
  const all = 'desiredNumberScheduled: 2, currentNumberScheduled: 2, numberReady: 2';
  t.ok(daemonSet(`{ ${all}, updatedNumberScheduled: 2, observedGeneration: 1 }`));
  t.notOk(
    daemonSet(`{ ${all}, updatedNumberScheduled: 1, observedGeneration: 1 }`),
    'one is of the old revision',
  );
  t.notOk(
    daemonSet(`{ ${all}, updatedNumberScheduled: 2, observedGeneration: 1 }`, 2),
    'the status is older than the change',
  );
  t.notOk(daemonSet('{ desiredNumberScheduled: 0 }'), 'nothing is scheduled yet');
  t.end();
});

test('labels that stay behind are told', async t => {
  const cluster = new FakeCluster().add(
    'kind: Namespace\nmetadata: { name: shop, labels: { istio.io/dataplane-mode: ambient } }',
  );
  t.match(
    (await run('uninstall', cluster)).err,
    /still on namespace shop: .*ambientctl namespace remove shop/,
  );
});

test('helm that is missing, and helm that fails, are one clear line', async t => {
  const missing = await run('install', new FakeCluster(), { status: undefined, stdout: '', stderr: '' });
  t.equal(missing.status, 1);
  t.match(
    missing.err,
    /^ambientctl: helm is not installed: this command drives Helm 3.14 or newer; [^\n]*\n$/,
  );
  const failed = await run('uninstall', new FakeCluster(), {
    status: 1,
    stdout: '',
    stderr: 'WARNING: group-readable\nError: uninstall: Release not loaded: ambient:\nrelease: not found\n',
  });
  t.equal(
    failed.err,
    'ambientctl: helm uninstall failed: uninstall: Release not loaded: ambient: release: not found\n',
  );
  const conflict = await run('install --skip-checks', new FakeCluster(), {
    status: 1,
    stdout: '',
    stderr:
      'Error: UPGRADE FAILED: conflict occurred while applying object m/ztunnel: Apply failed with 1 conflict: conflict with "kubectl"\n',
  });
  t.match(conflict.err, /with "kubectl"; that was changed by hand since: --force-conflicts sets it back\n$/);
  const dir = mkdtempSync(join(tmpdir(), 'empty-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const noCharts = await run(`install --charts ${dir}`);
  t.match(noCharts.err, /no charts in .*; give --charts DIR, which holds ambient\/Chart.yaml/);
});
