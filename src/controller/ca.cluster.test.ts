import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import { child } from '#shared/config/json-fields.ts';
import type { JsonObject } from '#shared/config/json.ts';
import { ADDRESS_TYPE } from '#shared/discovery/mesh-resource.ts';
import { CONFIG_MAPS, SECRETS } from '#shared/kube/core-resources.ts';
import { objectPath } from '#shared/kube/resource.ts';
import { readCertificates } from '#shared/pki/certificate-facts.ts';
import { LoopbackClient } from './testing/loopback-controller.ts';
import { REPORTS_NAME } from './kube/trust-reports.ts';
import { askAdmin } from './testing/admin-socket.ts';
import { ClusterLab, MESH_NAMESPACE } from './testing/cluster-lab.ts';
import { cannotRunApiServer } from './testing/kube-binaries.ts';
import { cacertsOf, certManagerSecretOf, createOperatorCa, type OperatorCa } from './testing/operator-ca.ts';
import { createPod, ensureObject } from './testing/service-account.ts';

const skip = cannotRunApiServer();
const ORDERS = 'spiffe://cluster.local/ns/shop/sa/orders';
const POLLS = 400;
const POLL_MS = 25;

/** Rejects with what was seen last when it does not come about. */
async function until<T>(look: () => Promise<T> | T, isWanted: (seen: T) => boolean): Promise<T> {
  for (let i = 0; ; i++) {
    const seen = await look();
    if (isWanted(seen)) return seen;
    if (i === POLLS) throw new Error(`still ${JSON.stringify(seen)}`);
    await sleep(POLL_MS);
  }
}

const rootsIn = (pem: string): readonly string[] => readCertificates(pem).map(root => root.pem);
const rootOf = ({ rootCert }: OperatorCa): string | undefined => rootsIn(rootCert)[0];

test('replicas rotate the root that one of them was told to', { skip, timeout: 60_000 }, async t => {
  const lab = await ClusterLab.start(t);
  // The path of a unix socket is short.
  const directory = mkdtempSync(join(tmpdir(), 'ca-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const start = async (replica: string) => {
    const socket = join(directory, `${replica}.sock`);
    const controller = await lab.controller(replica, {}, { ADMIN_UNIX_SOCKET: socket });
    const labels = { 'app.kubernetes.io/name': 'ambient-controller' };
    const account = { namespace: MESH_NAMESPACE, serviceAccount: 'ztunnel', node: 'n1' };
    await createPod(lab.client, { ...account, name: replica, labels, ip: '10.0.9.1' });
    const rotate = (step: string) => askAdmin(socket, 'POST', `/ca/rotate?step=${step}`);
    return { controller, rotate };
  };
  const a = await start('a');
  const b = await start('b');
  const endpoint = async (controller: typeof a.controller, node: string) =>
    lab.endpoint(controller, await lab.ztunnelToken(node));
  const here = await new LoopbackClient(await endpoint(a.controller, 'n1'), { node: 'n1' }).start();
  // It does not ask for roots, and so never confirms any.
  const deaf = new LoopbackClient(await endpoint(b.controller, 'n2'), { node: 'n2', types: [ADDRESS_TYPE] });
  await deaf.start();

  t.match(await a.rotate('prepare'), { status: 200, body: 'prepared' });
  await until(
    () => rootsIn(b.controller.trustBundle()).length,
    count => count === 2,
  );
  t.equal(b.controller.trustBundle(), a.controller.trustBundle(), 'the other replica trusts both too');
  const refusal = await until(
    () => a.rotate('switch'),
    ({ body }) => body.includes('n2'),
  );
  t.match(
    refusal,
    { status: 409, body: /Not confirmed by: .*n2/ },
    'a proxy of the other replica is waited for',
  );

  await deaf.client.stop();
  const moved = await new LoopbackClient(await endpoint(a.controller, 'n2'), { node: 'n2' }).start();
  await until(
    () => a.rotate('switch'),
    ({ status }) => status === 200,
  );
  t.pass('until it is connected to this one and has confirmed');
  await until(
    () => rootsIn(b.controller.trustBundle()),
    ([first]) => first === rootsIn(a.controller.trustBundle())[0],
  );
  const reports = await until(
    () => lab.client.request({ path: objectPath(CONFIG_MAPS, MESH_NAMESPACE, REPORTS_NAME) }),
    ({ data }) => data === undefined || Object.keys(data ?? {}).length === 0,
  );
  t.notOk(reports['data'], 'nothing of it stays behind');
  await Promise.all([here.client.stop(), moved.client.stop()]);
});

for (const [layout, dataOf] of [
  ['as Istio users know it', cacertsOf],
  ['as cert-manager writes it', certManagerSecretOf],
] as const) {
  test(`a CA of the operator, in a Secret ${layout}`, { skip, timeout: 60_000 }, async t => {
    const lab = await ClusterLab.start(t);
    const { client } = lab;
    const [first, second] = [
      await createOperatorCa('a', Date.now()),
      await createOperatorCa('b', Date.now()),
    ];
    const metadata = { name: 'cacerts', namespace: MESH_NAMESPACE };
    const put = (ca: OperatorCa | undefined) =>
      client.request({
        method: 'PUT',
        path: objectPath(SECRETS, MESH_NAMESPACE, 'cacerts'),
        body: { apiVersion: 'v1', kind: 'Secret', metadata, data: ca === undefined ? {} : dataOf(ca) },
      });
    await ensureObject(client, SECRETS, { metadata, data: dataOf(first) });
    const controllers = [await lab.controller('a'), await lab.controller('b')];
    await lab.account('shop', 'orders');
    await createPod(client, {
      namespace: 'shop',
      name: 'orders',
      serviceAccount: 'orders',
      node: 'n1',
      ip: '10.0.0.1',
    });
    const token = await lab.ztunnelToken('n1');
    for (const controller of controllers) {
      t.same(rootsIn(controller.trustBundle()), [rootOf(first)]);
      const chain = await until(
        () => lab.certificate(controller, token, ORDERS).catch(() => []),
        ({ length }) => length > 0,
      );
      t.ok(chain.join('').includes(rootOf(first)?.trim() ?? '-'), 'its certificates chain to that root');
    }
    await t.rejects(
      client.request({ path: objectPath(SECRETS, MESH_NAMESPACE, 'ambient-ca') }),
      { message: /not found/ },
      'no other CA is made',
    );

    await put(undefined);
    await put(second);
    for (const controller of controllers) {
      const trusted = await until(
        () => rootsIn(controller.trustBundle()),
        roots => roots.length === 2,
      );
      t.same(new Set(trusted), new Set([rootOf(first), rootOf(second)]), 'a new one is trusted beside it');
    }
    await client.request({ method: 'DELETE', path: objectPath(SECRETS, MESH_NAMESPACE, 'cacerts') });
    const [controller] = controllers;
    t.ok(controller);
    if (controller === undefined) return;
    t.ok(
      (await lab.certificate(controller, token, ORDERS)).length > 1,
      'without the Secret it goes on signing',
    );
  });
}

test('the Secret of the CA is deleted: replicas make it again, keys and all', {
  skip,
  timeout: 60_000,
}, async t => {
  const lab = await ClusterLab.start(t);
  const { client } = lab;
  const path = objectPath(SECRETS, MESH_NAMESPACE, 'ambient-ca');
  const dataOf = async (): Promise<JsonObject> => child(await client.request({ path }), 'data');
  const first = await lab.controller('a');
  await lab.controller('b');
  const roots = rootsIn(first.trustBundle());
  const before = await dataOf();
  await client.request({ method: 'DELETE', path });
  const after = await until(
    () => dataOf().catch(() => ({})),
    data => Object.keys(data).length > 0,
  );
  t.same(Object.keys(after), Object.keys(before), 'with every key');
  const third = await lab.controller('c');
  t.same(rootsIn(third.trustBundle()), roots, 'a replica that starts now has the same root');
  await lab.account('shop', 'orders');
  const pod = { namespace: 'shop', name: 'orders', serviceAccount: 'orders', node: 'n1', ip: '10.0.0.1' };
  await createPod(client, pod);
  const token = await lab.ztunnelToken('n1');
  const chain = await until(
    () => lab.certificate(third, token, ORDERS).catch(() => []),
    ({ length }) => length > 0,
  );
  t.ok(chain.join('').includes(roots[0]?.trim() ?? '-'), 'and its key');
});

test('a CA that is lost is not replaced behind the back of the proxies', {
  skip,
  timeout: 60_000,
}, async t => {
  const lab = await ClusterLab.start(t);
  const { client } = lab;
  const [secret, roots] = [
    objectPath(SECRETS, MESH_NAMESPACE, 'ambient-ca'),
    objectPath(CONFIG_MAPS, MESH_NAMESPACE, 'ambient-ca-root-cert'),
  ];
  const first = await lab.controller('a');
  const trusted = rootsIn(first.trustBundle());
  await until(
    () => client.request({ path: roots }).catch(() => undefined),
    found => found !== undefined,
  );
  const { data } = await client.request({ path: secret });
  await lab.stop(first);
  await client.request({ method: 'DELETE', path: secret });
  const second = lab.controller('b');
  await sleep(POLL_MS * 20);
  await t.rejects(client.request({ path: secret }), { message: /not found/ }, 'no CA is made');
  await ensureObject(client, SECRETS, { metadata: { name: 'ambient-ca', namespace: MESH_NAMESPACE }, data });
  t.same(rootsIn((await second).trustBundle()), trusted, 'it goes on when the Secret is restored');
});
