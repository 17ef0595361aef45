import { test } from 'tap';
import { createCertificateClient } from '#shared/discovery/certificate-client.ts';
import { createCsr } from '#shared/pki/csr.ts';
import { generateKey, softwareProvider } from '#shared/pki/crypto-provider.ts';
import { parseSpiffeId } from '#shared/spiffe/spiffe-id.ts';
import { noRoutes, policy, service, workload } from '#shared/testing/topology.ts';
import type { MeshResource } from '#shared/discovery/mesh-resource.ts';
import { ADDRESS_TYPE, SERVICE_ROUTES_TYPE, TRUST_BUNDLE_TYPE } from '#shared/discovery/mesh-resource.ts';
import { ANY_REQUEST, PLAIN_RULE } from '#shared/route/model.ts';
import { LoopbackClient, startController } from '../testing/loopback-controller.ts';
import type { WatchStatus } from './type-watch.ts';

const ORDERS = parseSpiffeId('spiffe://cluster.local/ns/shop/sa/orders');

function pod(name: string, ip: string, node = 'node-a'): MeshResource {
  return { kind: 'workload', workload: workload(name, { addresses: [ip], node }) };
}

/** Every status once nothing is on its way. Turns of the loop, not time, are what it waits for. */
async function settled(read: () => readonly WatchStatus[]): Promise<readonly WatchStatus[]> {
  for (;;) {
    const types = read();
    if (types.length > 0 && types.every(type => type.state !== 'stale')) return types;
    await new Promise(resolve => setImmediate(resolve));
  }
}

test('a client gets what is there, then what changes, then what is gone', async t => {
  const controller = await startController();
  controller.store.publish([
    pod('a', '10.0.0.1'),
    { kind: 'service', service: service('web', { vip: '10.9.0.1' }) },
  ]);
  const proxy = await new LoopbackClient(controller.endpoint(await controller.nodeToken())).start();
  t.ok(proxy.store.workloadByAddress('', '10.0.0.1'));
  t.ok(proxy.store.serviceByAddress('', '10.9.0.1'));

  controller.store.publish([pod('b', '10.0.0.2')]);
  await proxy.until(() => proxy.store.workloadByAddress('', '10.0.0.2') !== undefined);
  t.equal(proxy.deltas.at(-1)?.workloads.length, 1, 'only the new one is sent');

  controller.store.publish([], [[ADDRESS_TYPE, 'Kubernetes//Pod/default/a']]);
  await proxy.until(() => proxy.store.workloadByAddress('', '10.0.0.1') === undefined);
  t.same(proxy.deltas.at(-1)?.removedWorkloads, ['Kubernetes//Pod/default/a']);
  await proxy.client.stop();
  await controller.stop();
});

test('after a restart of the controller a client gets only what changed', async t => {
  const first = await startController();
  first.store.publish([pod('a', '10.0.0.1'), pod('b', '10.0.0.2'), pod('c', '10.0.0.3')]);
  const proxy = await new LoopbackClient(first.endpoint(await first.nodeToken())).start();
  const { ca, port, store, tokens } = first;
  await first.stop();
  t.ok(proxy.store.workloadByAddress('', '10.0.0.1'), 'what is held stays in force without the controller');

  const seen = proxy.deltas.length;
  store.publish([pod('b', '10.0.0.22')], [[ADDRESS_TYPE, 'Kubernetes//Pod/default/c']]);
  const second = await startController({ store, ca, port, tokens });
  await proxy.until(() => proxy.store.workloadByAddress('', '10.0.0.22') !== undefined);
  const since = proxy.deltas.slice(seen);
  t.same(
    since.flatMap(d => d.workloads.map(w => w.name)),
    ['b'],
  );
  t.same(
    since.flatMap(d => d.removedWorkloads),
    ['Kubernetes//Pod/default/c'],
  );
  await proxy.client.stop();
  await second.stop();
});

test('a resource that the client cannot accept is answered with a NACK; the last good one and the others stay', async t => {
  const controller = await startController();
  const routes = noRoutes(service('web'));
  controller.store.publish([{ kind: 'routes', routes }]);
  const proxy = await new LoopbackClient(controller.endpoint(await controller.nodeToken())).start();
  const bad = { ...routes, routed: true, rules: [rule('(')] };
  const other = noRoutes(service('api'), { routed: true });
  controller.store.publish([
    { kind: 'routes', routes: bad },
    { kind: 'routes', routes: other },
  ]);
  await proxy.until(() => proxy.store.routes('default/api.default.svc.cluster.local') !== undefined);
  t.equal(proxy.store.routes('default/web.default.svc.cluster.local')?.routed, false, 'last good one');
  const types = await settled(() => controller.discovery.clients()[0]?.types ?? []);
  const status = types.find(type => type.type === SERVICE_ROUTES_TYPE);
  t.equal(status?.state, 'nack');
  t.match(
    status?.lastNack?.reason,
    'default/web.default.svc.cluster.local: rules[0]: matches[0]: path: value: "("',
  );
  t.equal(types.find(type => type.type === ADDRESS_TYPE)?.state, 'synced');
  const client = proxy.client.status().types.find(type => type.type === SERVICE_ROUTES_TYPE);
  t.equal(client?.rejected.length, 1, 'the client shows it as well');

  controller.store.publish([{ kind: 'routes', routes: { ...bad, rules: [rule('a+')] } }]);
  await proxy.until(() => proxy.store.routes('default/web.default.svc.cluster.local')?.routed === true);
  const after = await settled(() => controller.discovery.clients()[0]?.types ?? []);
  t.equal(after.find(type => type.type === SERVICE_ROUTES_TYPE)?.state, 'synced', 'a good one mends it');
  await proxy.client.stop();
  await controller.stop();
});

function rule(regex: string): ReturnType<typeof noRoutes>['rules'][number] {
  const path = { kind: 'regex', value: regex, ignoreCase: false } as const;
  return {
    ...PLAIN_RULE,
    name: 'HTTPRoute/default/web/0',
    matches: [{ ...ANY_REQUEST, path }],
  };
}

test('a stream without a good token is refused, and says why', async t => {
  const controller = await startController();
  for (const token of ['not-a-token', `${await controller.nodeToken()}x`]) {
    const proxy = new LoopbackClient(controller.endpoint(token));
    proxy.client.start();
    while (proxy.client.status().lastError === undefined) await new Promise(resolve => setImmediate(resolve));
    t.match(proxy.client.status().lastError, /UNAUTHENTICATED.*token refused/);
    t.equal(controller.discovery.clients().length, 0);
    await proxy.client.stop();
  }
  await controller.stop();
});

test('a client does not talk to a controller of another root', async t => {
  const controller = await startController();
  const other = await startController();
  const endpoint = {
    ...controller.endpoint(await controller.nodeToken()),
    trustBundle: () => other.ca.trust.bundle.pem,
  };
  const proxy = new LoopbackClient(endpoint);
  proxy.client.start();
  while (proxy.client.status().lastError === undefined) await new Promise(resolve => setImmediate(resolve));
  t.match(proxy.client.status().lastError, /certificate/);
  await proxy.client.stop();
  await controller.stop();
  await other.stop();
});

test('2,000 workloads reach a client, and a change among them reaches it alone', async t => {
  const controller = await startController();
  const names = Array.from({ length: 2000 }, (_, i) => i);
  controller.store.publish(names.map(i => pod(`w${i}`, `10.1.${i >> 8}.${i & 255}`)));
  const proxy = await new LoopbackClient(controller.endpoint(await controller.nodeToken())).start();
  t.equal(proxy.deltas.flatMap(d => d.workloads).length, 2000);
  const seen = proxy.deltas.length;
  controller.store.publish([pod('w77', '10.2.0.1')]);
  await proxy.until(() => proxy.store.workloadByAddress('', '10.2.0.1') !== undefined);
  t.equal(proxy.deltas.slice(seen).flatMap(d => d.workloads).length, 1);
  await proxy.client.stop();
  await controller.stop();
});

test('a policy that comes with a workload is told first', async t => {
  const controller = await startController();
  const proxy = await new LoopbackClient(controller.endpoint(await controller.nodeToken())).start();
  const deny = policy('deny', 'deny', [{}]);
  controller.store.publish([pod('a', '10.0.0.1'), { kind: 'policy', policy: deny }]);
  await proxy.until(() => proxy.store.workloadByAddress('', '10.0.0.1') !== undefined);
  t.ok(proxy.store.policy('default/deny'));
  await proxy.client.stop();
  await controller.stop();
});

test('an on-demand client gets what it asks for, by address or name, and its changes', async t => {
  const controller = await startController();
  controller.store.publish([pod('a', '10.0.0.1'), pod('b', '10.0.0.2')]);
  const proxy = new LoopbackClient(controller.endpoint(await controller.nodeToken()), {
    types: [ADDRESS_TYPE],
    mode: 'on_demand',
  });
  proxy.client.start();
  proxy.client.subscribe('/10.0.0.1');
  await proxy.until(() => proxy.store.workloadByAddress('', '10.0.0.1') !== undefined);
  t.equal(proxy.store.workloadByAddress('', '10.0.0.2'), undefined);
  proxy.client.subscribe('/10.0.0.3');
  controller.store.publish([pod('a', '10.0.0.11'), pod('b', '10.0.0.22')]);
  await proxy.until(() => proxy.store.workloadByAddress('', '10.0.0.11') !== undefined);
  controller.store.publish([pod('c', '10.0.0.3')]);
  await proxy.until(() => proxy.store.workloadByAddress('', '10.0.0.3') !== undefined);
  t.equal(proxy.store.workload('Kubernetes//Pod/default/b'), undefined, 'nobody asked for b');
  await proxy.client.stop();
  await controller.stop();
});

test('the controller knows which proxies have not confirmed the roots', async t => {
  const controller = await startController();
  const publish = (version: string): void => {
    const trust = { trustDomain: 'cluster.local', rootsPem: 'PEM', version };
    controller.store.publish([{ kind: 'trust', trust }]);
  };
  publish('one');
  let accept = true;
  const proxy = new LoopbackClient(controller.endpoint(await controller.nodeToken()), {
    onTrust: () => {
      if (!accept) throw new Error('no root in it');
    },
  });
  await proxy.start();
  await settled(() => controller.discovery.clients()[0]?.types ?? []);
  t.same(controller.discovery.unconfirmedTrust(), []);
  accept = false;
  publish('two');
  t.same(controller.discovery.unconfirmedTrust(), [
    'ztunnel~127.0.0.1~ztunnel-node-a.istio-system~istio-system.svc.cluster.local',
  ]);
  const types = await settled(() => controller.discovery.clients()[0]?.types ?? []);
  t.match(types.find(type => type.type === TRUST_BUNDLE_TYPE)?.lastNack?.reason, 'no root in it');
  await proxy.client.stop();
  await controller.stop();
  t.equal(controller.discovery.unconfirmedTrust().length, 1, 'one that is gone is not forgotten');
});

test('certificates: a node proxy gets those of its pods only', async t => {
  const controller = await startController({
    isIdentityOnNode: (id, node) => id === ORDERS && node === 'node-a',
  });
  const key = await generateKey(softwareProvider, false);
  const request = {
    csrPem: await createCsr(key, ORDERS),
    validitySeconds: 3600,
    impersonatedIdentity: ORDERS,
  };
  const onNode = createCertificateClient(controller.endpoint(await controller.nodeToken('node-a')));
  const chain = await onNode.createCertificate(request);
  t.equal(chain.length, 3);
  t.equal(chain.at(-1), controller.ca.trust.bundle.pem);
  const elsewhere = createCertificateClient(controller.endpoint(await controller.nodeToken('node-b')));
  await t.rejects(
    elsewhere.createCertificate(request),
    /PERMISSION_DENIED.*no pod with it runs on node node-b/,
  );
  const stranger = createCertificateClient(controller.endpoint('nobody'));
  await t.rejects(stranger.createCertificate(request), /UNAUTHENTICATED/);
  await controller.stop();
});
