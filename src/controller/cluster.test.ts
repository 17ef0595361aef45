import { test } from 'tap';
import { createDeltaTransport } from '#shared/discovery/controller-channel.ts';
import { LEASES, PODS, SECRETS } from '#shared/kube/core-resources.ts';
import { collectionPath, objectPath } from '#shared/kube/resource.ts';
import type { Controller } from './app.ts';
import { LoopbackClient } from './testing/loopback-controller.ts';
import { ClusterLab, MESH_NAMESPACE } from './testing/cluster-lab.ts';
import { installOpenCrd, removeCrd } from './testing/crds.ts';
import { AUTHORIZATION_POLICIES } from './testing/authorization-policies.ts';
import { cannotRunApiServer } from './testing/kube-binaries.ts';
import { readLease } from './kube/lease.ts';
import { createPod, createToken, ensureObject } from './testing/service-account.ts';

const skip = cannotRunApiServer();
const ORDERS = 'spiffe://cluster.local/ns/shop/sa/orders';

function orders(name: string, node: string, ip: string) {
  return {
    namespace: 'shop',
    name,
    serviceAccount: 'orders',
    node,
    ip,
    annotations: { 'ambient.istio.io/redirection': 'enabled' },
  };
}

/** Resolves to the replica when it leads. */
function leads(replica: Controller): Promise<Controller> {
  const { promise, resolve } = Promise.withResolvers<Controller>();
  replica.leadership.add({ name: 'test', start: () => resolve(replica), stop: () => undefined });
  return promise;
}

test('a controller of a cluster', { skip, timeout: 60_000 }, async t => {
  const lab = await ClusterLab.start(t);
  const { client } = lab;
  await lab.account('shop', 'orders');
  const [a, b] = await Promise.all([lab.controller('a'), lab.controller('b')]);

  await t.test('of two that start together one makes the CA, and both sign with it', async t => {
    t.equal(a.trustBundle(), b.trustBundle());
    const secrets = await client.request({ path: collectionPath(SECRETS, MESH_NAMESPACE) });
    t.match(secrets['items'], [{ metadata: { name: 'ambient-ca' } }]);
  });

  await createPod(client, orders('orders-1', 'n1', '10.0.0.1'));
  const ztunnel1 = await lab.ztunnelToken('n1');
  const ztunnel2 = await lab.ztunnelToken('n2');
  const proxyA = await new LoopbackClient(lab.endpoint(a, ztunnel1), { node: 'n1' }).start();
  const proxyB = await new LoopbackClient(lab.endpoint(b, ztunnel2), { node: 'n2' }).start();
  t.teardown(() => Promise.all([proxyA.client.stop(), proxyB.client.stop()]));

  await t.test('every replica tells its proxies of every pod', async t => {
    for (const proxy of [proxyA, proxyB]) {
      await proxy.until(() => proxy.store.workloadByAddress('', '10.0.0.1') !== undefined);
    }
    t.match(proxyA.store.workloadByAddress('', '10.0.0.1'), {
      name: 'orders-1',
      node: 'n1',
      tunnelProtocol: 'hbone',
      status: 'healthy',
    });
  });

  await t.test('a ztunnel has certificates for pods of its node, and for no others', async t => {
    for (const controller of [a, b]) {
      t.equal((await lab.certificate(controller, ztunnel1, ORDERS)).length, 3);
      await t.rejects(
        lab.certificate(controller, ztunnel2, ORDERS),
        /PERMISSION_DENIED.*no pod with it runs on node n2/,
      );
      await t.rejects(
        lab.certificate(controller, ztunnel1, 'spiffe://cluster.local/ns/shop/sa/payments'),
        /PERMISSION_DENIED/,
      );
    }
    await createPod(client, orders('orders-2', 'n2', '10.0.0.2'));
    await proxyB.until(() => proxyB.store.workloadByAddress('', '10.0.0.2') !== undefined);
    t.equal((await lab.certificate(b, ztunnel2, ORDERS)).length, 3, 'as soon as one runs there');
  });

  await t.test('a workload has its own identity, and no other', async t => {
    const token = await createToken(client, 'shop', 'orders', { audiences: ['istio-ca'] });
    t.equal((await lab.certificate(a, token, ORDERS)).length, 3);
    const other = 'spiffe://cluster.local/ns/istio-system/sa/ztunnel';
    await t.rejects(lab.certificate(a, token, other), /PERMISSION_DENIED.*its own identity only/);
  });

  await t.test(
    'tokens that prove nothing here are refused, for certificates and discovery alike',
    async t => {
      const vault = await lab.ztunnelToken('n1', ['vault']);
      const unbound = await createToken(client, MESH_NAMESPACE, 'ztunnel', { audiences: ['istio-ca'] });
      for (const [token, reason] of [
        [vault, /UNAUTHENTICATED/],
        [unbound, /UNAUTHENTICATED.*bound to no pod/],
        [`${ztunnel1.slice(0, -4)}AAAA`, /UNAUTHENTICATED/],
        [lab.server.token, /UNAUTHENTICATED/],
      ] as const) {
        await t.rejects(lab.certificate(a, token, ORDERS), reason);
      }
      const { promise, resolve } = Promise.withResolvers<string>();
      createDeltaTransport(lab.endpoint(a, vault)).open({
        onResponse: () => resolve('served'),
        onEnd: resolve,
      });
      t.match(await promise, /UNAUTHENTICATED/);
    },
  );

  await t.test('a policy counts as soon as its CRD is installed, and no longer when it goes', async () => {
    await installOpenCrd(client, AUTHORIZATION_POLICIES);
    await ensureObject(client, AUTHORIZATION_POLICIES, {
      metadata: { name: 'deny', namespace: 'shop' },
      spec: { action: 'DENY', rules: [{}] },
    });
    const denies = (): boolean => proxyA.store.policy('shop/deny') !== undefined;
    await proxyA.until(denies);
    await removeCrd(client, AUTHORIZATION_POLICIES);
    await proxyA.until(() => !denies());
  });

  await t.test(
    'an API server that restarts: proxies keep what they have, and what changed comes after',
    async t => {
      await lab.server.stopServer();
      t.equal(proxyA.store.workloadByAddress('', '10.0.0.1')?.name, 'orders-1');
      await lab.server.startServer();
      await createPod(client, orders('orders-3', 'n1', '10.0.0.3'));
      await client.request({
        method: 'DELETE',
        path: objectPath(PODS, 'shop', 'orders-1'),
        query: { gracePeriodSeconds: '0' },
      });
      await proxyA.until(() => proxyA.store.workloadByAddress('', '10.0.0.3') !== undefined);
      await proxyA.until(() => proxyA.store.workloadByAddress('', '10.0.0.1') === undefined);
    },
  );

  await t.test(
    'the leader goes: the other one leads, its proxies go on, none of them loses a thing',
    async t => {
      // While the API server was away nobody could renew it.
      const leader = await Promise.race([a, b].map(leads));
      const other = leader === a ? b : a;
      t.notOk(other.leadership.isLeader);
      const path = objectPath(LEASES, MESH_NAMESPACE, 'ambient-controller-leader');
      const before = readLease(await client.request({ path }));
      const taken = Promise.withResolvers<void>();
      other.leadership.add({ name: 'test', start: () => taken.resolve(), stop: () => undefined });
      await lab.stop(leader);
      await taken.promise;
      const holder = other === a ? 'a' : 'b';
      t.match(readLease(await client.request({ path })), { holder, transitions: before.transitions + 1 });
      const proxy = other === a ? proxyA : proxyB;
      await createPod(client, orders('orders-4', 'n1', '10.0.0.4'));
      await proxy.until(() => proxy.store.workloadByAddress('', '10.0.0.4') !== undefined);
      t.equal((await lab.certificate(other, ztunnel1, ORDERS)).length, 3);
    },
  );
});
