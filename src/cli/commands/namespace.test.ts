import { test } from 'tap';
import { FakeCluster } from '../testing/fake-cluster.ts';
import { expectGolden } from '../testing/golden.ts';
import { runLine, testPlatform } from '../testing/test-cli.ts';

const CLUSTER = `
kind: Namespace
metadata: { name: shop, labels: { istio.io/dataplane-mode: ambient, istio.io/use-waypoint: waypoint } }
---
kind: Namespace
metadata: { name: legacy }
---
kind: Pod
metadata: { name: orders-0, namespace: shop, annotations: { ambient.istio.io/redirection: enabled } }
status: { phase: Running }
---
kind: Pod
metadata: { name: orders-1, namespace: shop, annotations: { ambient.istio.io/redirection: pending } }
status: { phase: Running }
---
kind: Pod
metadata: { name: job, namespace: shop }
status: { phase: Succeeded }
`;

test('namespaces are added, removed and listed', async t => {
  const cluster = new FakeCluster().add(CLUSTER);
  for (const [name, line] of [
    ['namespace-list', 'namespace list --all'],
    ['namespace-add', 'namespace add legacy'],
    ['namespace-remove', 'namespace remove shop'],
  ] as const) {
    const { out, status } = await runLine(line, testPlatform(cluster));
    t.equal(status, 0);
    expectGolden(t, name, `$ ambientctl ${line}\n${out}`);
  }
  t.same(cluster.changes, [
    'merge Namespace legacy {"metadata":{"labels":{"istio.io/dataplane-mode":"ambient"}}}',
    'merge Namespace shop {"metadata":{"labels":{"istio.io/dataplane-mode":null}}}',
  ]);
});

test('when one namespace does not exist none is changed', async t => {
  const cluster = new FakeCluster().add(CLUSTER);
  const { err, status } = await runLine('namespace add legacy nowhere', testPlatform(cluster));
  t.equal(status, 1);
  t.equal(err, 'ambientctl: there is no namespace nowhere; nothing was changed\n');
  t.same(cluster.changes, []);
});

test('the namespace of the mesh itself is not put into it', async t => {
  const cluster = new FakeCluster().add(
    `${CLUSTER}---\nkind: Namespace\nmetadata: { name: mesh }\n---\nkind: Pod\nmetadata: { name: z, namespace: mesh, labels: { app.kubernetes.io/name: ztunnel } }\n`,
  );
  const { err, status } = await runLine('namespace add legacy mesh', testPlatform(cluster));
  t.equal(status, 1);
  t.equal(
    err,
    'ambientctl: the mesh itself runs in namespace mesh, which is never captured; nothing was changed\n',
  );
  t.same(cluster.changes, []);
});

test('what is never captured is not counted as missing', async t => {
  const pod = (name: string, more: string): string =>
    `---\nkind: Pod\nmetadata: { name: ${name}, namespace: shop, labels: { ${more.includes('hostNetwork') ? '' : more} } }\nspec: { ${more.includes('hostNetwork') ? more : ''} }\nstatus: { phase: Running }\n`;
  const cluster = new FakeCluster().add(
    CLUSTER +
      pod('waypoint-0', 'gateway.networking.k8s.io/gateway-name: waypoint') +
      pod('agent', 'hostNetwork: true'),
  );
  const { out } = await runLine('namespace list', testPlatform(cluster));
  t.match(out, /shop +ambient +1\/2 /);
});

test('an empty mesh says how to fill it', async t => {
  const { out } = await runLine('namespace list', testPlatform(new FakeCluster()));
  t.equal(out, 'no namespace is in the mesh; add one with: ambientctl namespace add NAME\n');
});
