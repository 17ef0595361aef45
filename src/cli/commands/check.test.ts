import { test } from 'tap';
import { isJsonObject, parseJson } from '#shared/config/json.ts';
import { FakeCluster } from '../testing/fake-cluster.ts';
import { HEALTHY_YAML } from '../testing/cluster-snapshot.ts';
import { withFakeMesh } from '../testing/fake-mesh.ts';
import { runLine, testPlatform } from '../testing/test-cli.ts';

test('the exit status is 1 when something fatal failed, and there is no other word about it', async t => {
  const { out, err, status } = await runLine('check', testPlatform(new FakeCluster()));
  t.equal(status, 1);
  t.match(
    out,
    /× a controller is ready\n {4}there is no controller: install the mesh with "ambientctl install"/,
  );
  t.equal(err, '');
});

test('a bare cluster may be installed into', async t => {
  const { out, status } = await runLine('check --pre', testPlatform(new FakeCluster()));
  t.equal(status, 0);
  t.match(out, /√ you may create what an installation needs/);
  const forbidden = new FakeCluster();
  forbidden.mayDo = false;
  const refused = await runLine('check --pre', testPlatform(forbidden));
  t.equal(refused.status, 1);
  t.match(refused.out, /you may not create clusterroles/);
});

test('objects of kinds that are not read are found, in the version that is served', async t => {
  const definition = (name: string, kind: string, group: string): string => `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ${name}.${group}}
spec: {names: {kind: ${kind}, plural: ${name}}, versions: [{name: v1, served: false}, {name: v1beta1, served: true}]}
---`;
  const versions: string[] = [];
  class Watched extends FakeCluster {
    override list(...[kind, options]: Parameters<FakeCluster['list']>): ReturnType<FakeCluster['list']> {
      versions.push(kind.apiVersion);
      return super.list(kind, options);
    }
  }
  const cluster = new Watched().add(
    `${definition('egressnetworks', 'EgressNetwork', 'policy.linkerd.io')}${definition('wasmplugins', 'WasmPlugin', 'extensions.istio.io')}
apiVersion: policy.linkerd.io/v1beta1
kind: EgressNetwork
metadata: {name: only-web, namespace: shop}`,
  );
  const { out } = await runLine('check', testPlatform(cluster));
  t.match(out, /EgressNetwork \(policy\.linkerd\.io\) shop\/only-web: not read; nothing of it is held/);
  t.notMatch(out, /WasmPlugin/, 'of which there is none');
  t.ok(versions.includes('policy.linkerd.io/v1beta1'));
});

test('proxies and controllers are asked', async t => {
  await withFakeMesh(async (_dir, mesh) => {
    const cluster = new FakeCluster().add(HEALTHY_YAML);
    cluster.admin.set('istio-system/controller-1', { socketPath: mesh.get('controller-a') ?? '' });
    cluster.admin.set('istio-system/ztunnel-1', { socketPath: mesh.get('ztunnel-a') ?? '' });
    const { out } = await runLine('check -o json', testPlatform(cluster));
    const answer = parseJson(out);
    t.ok(isJsonObject(answer) && answer['ok'] === false);
    t.match(out, /ztunnel ztunnel-2: cannot reach/);
    t.match(out, /ztunnel-a\.istio-system is stale for address/);
    t.match(out, /HTTPRoute\/shop\/split: spec.rules\[0\] \[\] has no backend/, 'rejected objects');
    t.match(out, /"link": "docs\/debugging.md#proxies-synced"/);
  });
});
