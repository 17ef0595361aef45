import { join } from 'node:path';
import { test } from 'tap';
import type { JsonObject } from '#shared/config/json.ts';
import { SECRETS } from '#shared/kube/core-resources.ts';
import { MERGE_PATCH } from '#shared/kube/client.ts';
import { type KubeResource, objectPath } from '#shared/kube/resource.ts';
import { createTestCa } from '#shared/testing/test-ca.ts';
import { LoopbackClient } from './testing/loopback-controller.ts';
import { ClusterLab } from './testing/cluster-lab.ts';
import { installCrds } from './testing/crds.ts';
import { cannotRunApiServer, gatewayApiCrds } from './testing/kube-binaries.ts';
import { createToken, ensureObject } from './testing/service-account.ts';
import { GATEWAYS } from './waypoints/auto-waypoint.ts';
import { SERVICES } from './waypoints/managed-kinds.ts';

/** Secrets of a real API server, of the types that `kubectl create secret` makes, on their way to a waypoint. */
const crds = gatewayApiCrds();
const skip = cannotRunApiServer() || (crds === undefined && 'needs GATEWAY_API_CRDS');
const DESTINATION_RULES: KubeResource = {
  group: 'networking.istio.io',
  version: 'v1',
  kind: 'DestinationRule',
  plural: 'destinationrules',
  namespaced: true,
};
const LABELLED = { 'ambient.mesh/tls-credential': 'true' };
const GATEWAY = {
  metadata: { name: 'wp', namespace: 'shop' },
  spec: {
    gatewayClassName: 'ambient-waypoint',
    listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }],
  },
};
const SERVICE = {
  metadata: { name: 'api', namespace: 'shop', labels: { 'istio.io/use-waypoint': 'wp' } },
  spec: { ports: [{ port: 80 }] },
};

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const rule = (tls: JsonObject): JsonObject => ({
  metadata: { name: 'api', namespace: 'shop' },
  spec: { host: 'api', trafficPolicy: { tls } },
});

test('Secrets for TLS origination, from an API server to the waypoint that needs them', {
  skip,
  timeout: 90_000,
}, async t => {
  const lab = await ClusterLab.start(t);
  const { client } = lab;
  await installCrds(client, join(crds ?? '', 'experimental'));
  await installCrds(client, 'charts/base/files/crds');
  for (const account of ['wp', 'orders']) await lab.account('shop', account);
  const ca = await createTestCa('public');
  const material = (name: string) => ca.issue(`spiffe://elsewhere/ns/a/sa/${name}`);
  const create = async (
    name: string,
    type: string,
    data: Record<string, string>,
    labels = {},
  ): Promise<void> => {
    const encoded = Object.fromEntries(Object.entries(data).map(([key, text]) => [key, base64(text)]));
    await ensureObject(client, SECRETS, {
      metadata: { name, namespace: 'shop', labels },
      type,
      data: encoded,
    });
  };
  const patch = (resource: KubeResource, name: string, body: JsonObject): Promise<JsonObject> =>
    client.request({
      method: 'PATCH',
      path: objectPath(resource, 'shop', name),
      contentType: MERGE_PATCH,
      body,
    });
  const first = await material('one');
  const tls = { 'tls.crt': first.certChainPem, 'tls.key': first.privateKeyPem };
  await create('client', 'kubernetes.io/tls', { ...tls, 'ca.crt': ca.rootPem }, LABELLED);
  await create('unlabelled', 'kubernetes.io/tls', tls);
  await ensureObject(client, GATEWAYS, GATEWAY);
  await ensureObject(client, SERVICES, SERVICE);
  await ensureObject(client, DESTINATION_RULES, rule({ mode: 'MUTUAL', credentialName: 'client' }));

  const controller = await lab.controller('a', {}, { TLS_SECRETS: 'true' });
  const proxy = async (account: string): Promise<LoopbackClient> => {
    const token = await createToken(client, 'shop', account, { audiences: ['istio-ca'] });
    const made = await new LoopbackClient(lab.endpoint(controller, token)).start();
    t.teardown(() => made.client.stop());
    return made;
  };
  const waypoint = await proxy('wp');
  const others = await proxy('orders');

  await t.test('of type kubernetes.io/tls, to the waypoint alone', async t => {
    await waypoint.until(() => waypoint.credentials.has('shop/client'));
    t.match(waypoint.credentials.get('shop/client'), {
      certificateChainPem: first.certChainPem,
      privateKeyPem: first.privateKeyPem,
      trustedRootsPem: ca.rootPem,
      revocationListsPem: '',
    });
    t.equal(others.credentials.size, 0);
    t.equal(waypoint.credentials.size, 1);
  });

  await t.test('a new version of it comes as it is written', async () => {
    const next = await material('two');
    const data = { 'tls.crt': base64(next.certChainPem), 'tls.key': base64(next.privateKeyPem) };
    await patch(SECRETS, 'client', { data });
    const isNext = (): boolean =>
      waypoint.credentials.get('shop/client')?.certificateChainPem === next.certChainPem;
    await waypoint.until(isNext);
  });

  await t.test('one that is not labelled is not read; the label brings it', async t => {
    const unlabelled = { spec: rule({ mode: 'MUTUAL', credentialName: 'unlabelled' })['spec'] };
    await patch(DESTINATION_RULES, 'api', unlabelled);
    await waypoint.until(() => waypoint.credentials.size === 0);
    t.pass('the one before is taken away, and this one does not come');
    await patch(SECRETS, 'unlabelled', { metadata: { labels: LABELLED } });
    await waypoint.until(() => waypoint.credentials.has('shop/unlabelled'));
  });

  await t.test('Opaque ones with the keys of Istio, and authorities of their own', async t => {
    const { certChainPem, privateKeyPem } = await material('three');
    await create('opaque', 'Opaque', { cert: certChainPem, key: privateKeyPem }, LABELLED);
    await create('opaque-cacert', 'Opaque', { cacert: ca.rootPem }, LABELLED);
    await patch(DESTINATION_RULES, 'api', {
      spec: rule({ mode: 'MUTUAL', credentialName: 'opaque' })['spec'],
    });
    const has = (name: string): boolean => waypoint.credentials.has(`shop/${name}`);
    await waypoint.until(() => has('opaque') && has('opaque-cacert'));
    t.match(waypoint.credentials.get('shop/opaque'), {
      certificateChainPem: certChainPem,
      trustedRootsPem: '',
    });
    t.match(waypoint.credentials.get('shop/opaque-cacert'), {
      certificateChainPem: '',
      trustedRootsPem: ca.rootPem,
    });
  });

  await t.test('deleted, it is gone; a controller that is not to read Secrets has none', async t => {
    await client.request({ method: 'DELETE', path: objectPath(SECRETS, 'shop', 'opaque') });
    await waypoint.until(() => !waypoint.credentials.has('shop/opaque'));
    const blind = await lab.controller('b');
    const token = await createToken(client, 'shop', 'wp', { audiences: ['istio-ca'] });
    const proxyOfBlind = await new LoopbackClient(lab.endpoint(blind, token)).start();
    t.teardown(() => proxyOfBlind.client.stop());
    await proxyOfBlind.until(
      () => proxyOfBlind.store.routes('shop/api.shop.svc.cluster.local') !== undefined,
    );
    t.equal(proxyOfBlind.credentials.size, 0);
  });
});
