import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import { parseAllDocuments } from 'yaml';
import { isJsonObject, type JsonObject } from '#shared/config/json.ts';
import { CONFIG_MAPS, LEASES, SECRETS } from '#shared/kube/core-resources.ts';
import { collectionPath, type KubeResource, objectPath } from '#shared/kube/resource.ts';
import { ClusterLab, MESH_NAMESPACE } from './testing/cluster-lab.ts';
import { installCrds } from './testing/crds.ts';
import { cannotRunApiServer, gatewayApiCrds } from './testing/kube-binaries.ts';
import { createToken, ensureObject } from './testing/service-account.ts';
import { objectAt } from './translate/loose-fields.ts';

/** What the charts make of their own values: the controller runs with these rights and no others. */
const MANIFESTS = 'scripts/charts/testdata/default.golden.yaml';
const CONTROLLER = 'ambient-controller';
const skip = cannotRunApiServer();
const POLL_MS = 50;

const RBAC = new Map<string, KubeResource>(
  [
    ['ClusterRole', 'clusterroles', false],
    ['ClusterRoleBinding', 'clusterrolebindings', false],
    ['Role', 'roles', true],
    ['RoleBinding', 'rolebindings', true],
  ].map(([kind, plural, namespaced]) => [
    String(kind),
    {
      group: 'rbac.authorization.k8s.io',
      version: 'v1',
      kind: String(kind),
      plural: String(plural),
      namespaced: namespaced === true,
    },
  ]),
);

const POLICIES: KubeResource = {
  group: 'gateway.networking.k8s.io',
  version: 'v1',
  kind: 'BackendTLSPolicy',
  plural: 'backendtlspolicies',
  namespaced: true,
};

function nameOf(object: JsonObject): unknown {
  return isJsonObject(object['metadata']) ? object['metadata']['name'] : undefined;
}

test('the rights that the chart gives are enough', { skip, timeout: 90_000 }, async t => {
  const lab = await ClusterLab.start(t);
  const { client, server } = lab;
  await lab.account(MESH_NAMESPACE, CONTROLLER);
  const documents = parseAllDocuments(readFileSync(MANIFESTS, 'utf8')).map((document): unknown => {
    const value: unknown = document.toJS();
    return value;
  });
  let rights = 0;
  for (const object of documents.filter(isJsonObject)) {
    const resource = RBAC.get(String(object['kind']));
    if (resource === undefined || nameOf(object) !== CONTROLLER) continue;
    await ensureObject(client, resource, object);
    rights++;
  }
  t.equal(rights, 4);
  const crds = gatewayApiCrds();
  if (crds !== undefined) await installCrds(client, `${crds}/standard`);
  await installCrds(client, 'charts/base/files/crds');

  const token = await createToken(client, MESH_NAMESPACE, CONTROLLER, { audiences: [] });
  const controller = await lab.controller(CONTROLLER, { connection: server.connectionAs(token) });

  await t.test('to become ready, which takes every kind', async t => {
    t.ok(controller.port > 0);
    const path = objectPath(SECRETS, MESH_NAMESPACE, 'ambient-ca');
    t.match(await client.request({ path }), { kind: 'Secret' });
  });

  await t.test('to lead, and write the roots', async t => {
    for (const name of ['ambient-ca-root-cert', 'istio-ca-root-cert']) {
      const path = objectPath(CONFIG_MAPS, 'shop', name);
      while ((await client.request({ path }).catch(() => undefined)) === undefined) await sleep(POLL_MS);
    }
    const lease = await client.request({ path: collectionPath(LEASES, MESH_NAMESPACE) });
    t.match(lease['items'], [{ spec: { holderIdentity: CONTROLLER } }]);
  });

  await t.test('to read what a policy refers to, and to say so', { skip: crds === undefined }, async t => {
    await ensureObject(client, CONFIG_MAPS, {
      metadata: { name: 'authorities', namespace: 'shop' },
      data: {},
    });
    const targetRefs = [{ group: '', kind: 'Service', name: 'api' }];
    const caCertificateRefs = [{ group: '', kind: 'ConfigMap', name: 'authorities' }];
    const validation = { hostname: 'api.example.com', caCertificateRefs };
    await ensureObject(client, POLICIES, {
      metadata: { name: 'api', namespace: 'shop' },
      spec: { targetRefs, validation },
    });
    const path = objectPath(POLICIES, 'shop', 'api');
    let status = '';
    while (!status.includes('ResolvedRefs')) {
      await sleep(POLL_MS);
      status = JSON.stringify(objectAt(await client.request({ path }), 'status'));
    }
    t.match(status, /ConfigMap shop\/authorities: data\.ca\.crt: is required/, 'it has been read');
  });

  await t.test('to review tokens', async t => {
    const ztunnel = await lab.ztunnelToken('n1');
    const identity = `spiffe://cluster.local/ns/${MESH_NAMESPACE}/sa/ztunnel`;
    t.equal((await lab.certificate(controller, ztunnel, identity)).length, 3);
  });
});
