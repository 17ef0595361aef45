import { type Test, test } from 'tap';
import { DEPLOYMENT, GATEWAY, NAMESPACE, POD } from '../../src/cli/cluster/kinds.ts';
import type { KubeApi } from '../../src/cli/cluster/kube-api.ts';
import { openCluster } from '../../src/cli/cluster/open-cluster.ts';
import { type Run, runLine, testPlatform } from '../../src/cli/testing/test-cli.ts';
import { ApiServer } from '../../src/controller/testing/api-server.ts';
import { installCrds } from '../../src/controller/testing/crds.ts';
import { cannotRunApiServer, gatewayApiCrds } from '../../src/controller/testing/kube-binaries.ts';

/** ambientctl against a real API server: what the fake one of the goldens only pretends. */
const skip = cannotRunApiServer();

test('ambientctl and a real API server', { skip }, async t => {
  const server = await ApiServer.start();
  t.teardown(() => server.close());
  const kubeconfig = server.kubeconfig();
  const { api } = await openCluster({ kubeconfig }, process.env);
  const run = (line: string, token?: string): Promise<Run> =>
    runLine(`${line} --kubeconfig ${token === undefined ? kubeconfig : server.kubeconfig(token)}`, {
      ...testPlatform(),
      openCluster,
      now: () => Date.now(),
    });

  await t.test('objects are applied, read, patched, and removed', t => objectLife(t, api));
  await t.test('a long list comes in pages, and is whole', t => pages(t, api));

  await t.test('namespaces get and lose their label', async t => {
    t.equal((await run('namespace add shop')).status, 0);
    t.match((await run('namespace list')).out, /shop +ambient +0\/0/);
    t.equal((await run('namespace remove shop')).status, 0);
    t.match((await run('namespace list')).out, /no namespace is in the mesh/);
  });

  await t.test('without the Gateway API the operator is told so', async t => {
    t.equal(await api.list(GATEWAY), undefined, 'a kind that is not served');
    t.match((await run('waypoint apply -n shop')).err, /the Gateway API is not installed/);
    t.match((await run('check --pre')).out, /‼ the Gateway API is installed/);
  });

  const crds = gatewayApiCrds();
  await t.test('waypoints', { skip: crds === undefined && 'needs the CRDs of the Gateway API' }, async t => {
    await installCrds(server.client, `${crds ?? ''}/standard`);
    await waypoints(t, run, api);
  });

  await t.test('a bare cluster may be installed into; nothing of the mesh is found in it', async t => {
    const pre = await run('check --pre');
    t.equal(pre.status, 0, pre.out);
    const check = await run('check');
    t.equal(check.status, 1);
    t.match(check.out, /× a controller is ready/);
    t.equal(check.err, '');
    t.match((await run('ztunnel-config workloads')).err, /no ztunnel is running in the cluster https:/);
  });

  await t.test('what may not be done is said in the words of the API server', async t => {
    const stranger = await run('namespace list', 'nobody');
    t.match(stranger.err, /does not accept the credentials of this context/);
  });

  await t.test('names that cannot be are refused, not sent elsewhere', async t => {
    for (const line of [
      'waypoint apply -n shop --name ../../nodes',
      'waypoint apply -n ../nodes',
      'waypoint apply -n SHOP',
    ]) {
      const { err, status } = await run(line);
      t.equal(status, 2, line);
      t.match(err, /^ambientctl: "[^"]+" cannot be the name of a Kubernetes object: [^\n]+\n$/);
    }
  });
});

async function objectLife(t: Test, api: KubeApi): Promise<void> {
  t.match(await api.version(), /^v1\.\d+/);
  const made = await api.apply(NAMESPACE, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'shop', labels: { a: '1' } },
  });
  t.match(made, { name: 'shop', labels: { a: '1' } });
  await api.merge(NAMESPACE, '', 'shop', { metadata: { labels: { a: null, b: '2' } } });
  const changed = await api.get(NAMESPACE, '', 'shop');
  t.equal(changed?.labels['a'], undefined);
  t.equal(changed?.labels['b'], '2');
  t.equal(await api.get(NAMESPACE, '', 'none'), undefined);
  t.equal(await api.remove(POD, 'shop', 'none'), false);
  t.equal(await api.mayI('create', DEPLOYMENT), true);
  await t.rejects(api.merge(NAMESPACE, '', 'none', {}), /cannot change Namespace none: .* 404: .*not found/);
}

async function pages(t: Test, api: KubeApi): Promise<void> {
  const names = Array.from({ length: 620 }, (_, i) => `page-${String(i).padStart(3, '0')}`);
  const make = (name: string): Promise<unknown> =>
    api.apply(NAMESPACE, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels: { page: 'yes' } },
    });
  for (let i = 0; i < names.length; i += 20) await Promise.all(names.slice(i, i + 20).map(make));
  const found = await api.list(NAMESPACE, { labelSelector: 'page=yes' });
  t.same(found?.map(n => n.name).sort(), names);
}

async function waypoints(t: Test, run: (line: string) => Promise<Run>, api: KubeApi): Promise<void> {
  const applied = await run('waypoint apply -n shop --for all --enroll-namespace');
  t.equal(applied.status, 0, applied.err);
  const gateway = await api.get(GATEWAY, 'shop', 'waypoint');
  t.match(gateway?.spec, { gatewayClassName: 'ambient-waypoint' });
  t.equal(gateway?.labels['istio.io/waypoint-for'], 'all');
  t.equal((await api.get(NAMESPACE, '', 'shop'))?.labels['istio.io/use-waypoint'], 'waypoint');
  t.equal((await run('waypoint apply -n shop --for service')).status, 0, 'again, changed');
  t.match((await run('waypoint status -n shop')).out, /waypoint/);
  t.match((await run('waypoint delete waypoint -n shop')).err, /is used by namespace shop/);
  t.equal((await run('waypoint delete waypoint -n shop --force')).status, 0);
  t.equal(await api.get(GATEWAY, 'shop', 'waypoint'), undefined);
}
