import { test } from 'tap';
import { isJsonObject } from '#shared/config/json.ts';
import { NAMESPACES, NODES, PODS, SERVICE_ACCOUNTS } from '#shared/kube/core-resources.ts';
import { isNotFound, KubeError } from '#shared/kube/kube-error.ts';
import { collectionPath } from '#shared/kube/resource.ts';
import { ApiServer } from './api-server.ts';
import { CRDS, installCrds } from './crds.ts';
import { cannotRunApiServer, gatewayApiCrds } from './kube-binaries.ts';
import { createPod, createToken, ensureObject } from './service-account.ts';

const skip = cannotRunApiServer();
const UNAUTHORIZED = { name: 'KubeError', message: /Unauthorized/ };

test('a private API server', { skip }, async t => {
  const server = await ApiServer.start();
  t.teardown(() => server.close());
  const { client } = server;

  await t.test('answers its admin, and nobody else', async t => {
    const list = await client.request({ path: collectionPath(NAMESPACES) });
    t.match(list, { kind: 'NamespaceList' });
    await t.rejects(server.clientAs('wrong').request({ path: collectionPath(NAMESPACES) }), UNAUTHORIZED);
    const error = await client.request({ path: '/api/v1/namespaces/none' }).catch((e: unknown) => e);
    t.ok(isNotFound(error) && error instanceof KubeError && error.reason === 'NotFound', String(error));
  });

  await t.test('tells of whose pod a token is, and on which node', async t => {
    await ensureObject(client, NODES, { metadata: { name: 'n1' } });
    await ensureObject(client, NAMESPACES, { metadata: { name: 'mesh' } });
    await ensureObject(client, SERVICE_ACCOUNTS, { metadata: { name: 'ztunnel', namespace: 'mesh' } });
    const pod = await createPod(client, {
      namespace: 'mesh',
      name: 'ztunnel-1',
      serviceAccount: 'ztunnel',
      node: 'n1',
      ip: '10.0.0.1',
    });
    t.match(pod, { status: { podIP: '10.0.0.1' } });
    const token = await createToken(client, 'mesh', 'ztunnel', { audiences: ['istio-ca'], pod });
    const review = await client.request({
      method: 'POST',
      path: '/apis/authentication.k8s.io/v1/tokenreviews',
      body: {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenReview',
        spec: { token, audiences: ['istio-ca'] },
      },
    });
    t.match(review['status'], {
      authenticated: true,
      audiences: ['istio-ca'],
      user: {
        username: 'system:serviceaccount:mesh:ztunnel',
        extra: {
          'authentication.kubernetes.io/node-name': ['n1'],
          'authentication.kubernetes.io/pod-name': ['ztunnel-1'],
        },
      },
    });
    await t.rejects(server.clientAs(token).request({ path: collectionPath(PODS) }), UNAUTHORIZED);
  });

  await t.test('comes back with what it knew', async t => {
    await server.stopServer();
    await t.rejects(client.request({ path: '/readyz', deadlineMs: 1000 }));
    await server.startServer();
    const list = await client.request({ path: collectionPath(PODS, 'mesh') });
    t.match(list['items'], [{ metadata: { name: 'ztunnel-1' } }]);
  });

  const crds = gatewayApiCrds();
  await t.test(
    'serves the Gateway API',
    { skip: crds === undefined && 'needs GATEWAY_API_CRDS' },
    async t => {
      await installCrds(client, `${crds}/experimental`);
      const list = await client.request({ path: collectionPath(CRDS) });
      t.ok(Array.isArray(list['items']) && list['items'].filter(isJsonObject).length > 5);
    },
  );
});
