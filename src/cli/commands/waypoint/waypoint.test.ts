import { test } from 'tap';
import { FakeCluster } from '../../testing/fake-cluster.ts';
import { expectGolden } from '../../testing/golden.ts';
import { type Run, runLine, testPlatform } from '../../testing/test-cli.ts';

const SHOP = `
kind: Namespace
metadata: { name: shop, labels: { istio.io/dataplane-mode: ambient, istio.io/use-waypoint: waypoint } }
---
kind: Namespace
metadata: { name: legacy }
---
kind: Service
metadata: { name: payments, namespace: legacy, labels: { istio.io/use-waypoint: waypoint, istio.io/use-waypoint-namespace: shop } }
---
kind: Gateway
metadata: { name: waypoint, namespace: shop }
spec: { gatewayClassName: istio-waypoint }
status:
  conditions:
    - { type: Accepted, status: 'True', reason: Accepted, message: accepted by the controller }
    - { type: Programmed, status: 'False', reason: Pending, message: 0 of 2 pods are ready }
---
kind: Gateway
metadata: { name: idle, namespace: shop }
spec: { gatewayClassName: ambient-waypoint }
---
kind: Gateway
metadata: { name: ingress, namespace: shop }
spec: { gatewayClassName: nginx }
`;

interface Outcome extends Run {
  readonly changes: readonly string[];
}

async function run(
  line: string,
  prepare: (cluster: FakeCluster) => void = () => undefined,
): Promise<Outcome> {
  const cluster = new FakeCluster().add(SHOP);
  prepare(cluster);
  let now = 0;
  const platform = {
    ...testPlatform(cluster),
    elapsed: () => now,
    sleep: (ms: number) => Promise.resolve(void (now += ms)),
  };
  return { ...(await runLine(line, platform)), changes: cluster.changes };
}

const GOLDENS: readonly (readonly [string, string])[] = [
  ['waypoint-apply', 'waypoint apply -n shop --for all'],
  ['waypoint-generate', 'waypoint generate -n shop --for workload --revision canary'],
  ['waypoint-status', 'waypoint status -n shop'],
  ['waypoint-delete', 'waypoint delete idle -n shop'],
];

test('output of the waypoint commands', async t => {
  for (const [name, line] of GOLDENS) {
    const { out, status, err } = await run(line);
    t.equal(status, 0, err);
    expectGolden(t, name, `$ ambientctl ${line}\n${out}`);
  }
});

test('a namespace is enrolled with its waypoint', async t => {
  const { changes, err } = await run('waypoint apply -n legacy --enroll-namespace');
  t.same(changes, [
    'apply Gateway legacy/waypoint',
    'merge Namespace legacy {"metadata":{"labels":{"istio.io/use-waypoint":"waypoint"}}}',
  ]);
  t.match(err, /warning: namespace legacy is not in the mesh: .*try: ambientctl namespace add legacy/);
});

test('another waypoint of a namespace is taken over only with --overwrite', async t => {
  const refused = await run('waypoint apply -n shop --name two --enroll-namespace');
  t.equal(refused.status, 1);
  t.match(refused.err, /namespace shop uses waypoint waypoint already; --overwrite changes that/);
  t.same(refused.changes, [], 'nothing was changed');
  t.equal((await run('waypoint apply -n shop --name two --enroll-namespace --overwrite')).status, 0);
});

test('--wait ends when the waypoint is programmed, or tells why it is not', async t => {
  const never = await run('waypoint apply -n shop --wait --timeout 5');
  t.equal(never.status, 1);
  t.match(never.err, /waypoint shop\/waypoint is not ready after 5 s: no controller has looked at it/);
  const ready = await run('waypoint apply -n shop --wait', cluster => {
    cluster.onApply = object => ({
      ...object,
      status: { conditions: [{ type: 'Programmed', status: 'True' }] },
    });
  });
  t.equal(ready.status, 0);
  t.match(ready.out, /waypoint shop\/waypoint is ready\n$/);
});

test('a waypoint in use is deleted only with --force', async t => {
  const refused = await run('waypoint delete waypoint -n shop');
  t.equal(refused.status, 1);
  t.match(refused.err, /is used by namespace shop, service legacy\/payments: their traffic would be refused/);
  t.same(refused.changes, []);
  t.same((await run('waypoint delete waypoint -n shop --force')).changes, ['remove Gateway shop/waypoint']);
});

test('--all means waypoints only: other gateways stay', async t => {
  const { changes } = await run('waypoint delete --all --force -n shop');
  t.same(changes, ['remove Gateway shop/waypoint', 'remove Gateway shop/idle']);
});

/** [command line, exit status, what the one line says] */
const BAD_INPUT: readonly (readonly [string, number, RegExp])[] = [
  ['waypoint apply --for everything', 2, /Allowed choices are service, workload, all, none/],
  ['waypoint apply -n nowhere', 1, /there is no namespace "nowhere"; create it first/],
  ['waypoint delete -n shop', 2, /name the waypoints to delete, or give --all/],
  ['waypoint delete idle --all -n shop', 2, /name the waypoints to delete, or give --all/],
  ['waypoint delete ingress -n shop', 1, /there is no waypoint shop\/ingress; there are: waypoint, idle/],
  [
    'waypoint status nope -n shop',
    1,
    /there is no waypoint "nope" in namespace shop; there are: waypoint, idle/,
  ],
];

test('bad input is one clear line and changes nothing', async t => {
  for (const [line, status, message] of BAD_INPUT) {
    const result = await run(line);
    t.equal(result.status, status, line);
    t.match(result.err, message, line);
    t.same(result.changes, [], line);
  }
  const without = await run('waypoint apply -n shop', cluster => void cluster.missingKinds.add('Gateway'));
  t.match(without.err, /the Gateway API is not installed in this cluster: .*ambientctl check --pre/);
});
