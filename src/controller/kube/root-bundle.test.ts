import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import { isJsonObject, type JsonObject } from '#shared/config/json.ts';
import { MERGE_PATCH } from '#shared/kube/client.ts';
import { CONFIG_MAPS, NAMESPACES } from '#shared/kube/core-resources.ts';
import { objectPath } from '#shared/kube/resource.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { createLogger, LogLevels } from '#shared/observability/logger.ts';
import { parseTrustDomain } from '#shared/spiffe/trust-domain.ts';
import { directoryCaStore } from '../ca/ca-store.ts';
import { ManagedCa } from '../ca/managed-ca.ts';
import { ApiServer } from '../testing/api-server.ts';
import { cannotRunApiServer } from '../testing/kube-binaries.ts';
import { ensureObject } from '../testing/service-account.ts';
import { BUNDLE_KEY, OWN_NAME, RootBundlePublisher, SHARED_NAME } from './root-bundle.ts';

const skip = cannotRunApiServer();
const POLL_MS = 20;

test('the roots are in every namespace', { skip, timeout: 60_000 }, async t => {
  const server = await ApiServer.start();
  t.teardown(() => server.close());
  const { client } = server;
  const trustDomain = parseTrustDomain('cluster.local');
  const ca = await ManagedCa.open({ clock: systemClock, trustDomain, store: directoryCaStore(t.testdir()) });
  const logger = createLogger({
    scope: 'roots',
    levels: new LogLevels('warn'),
    format: 'text',
    writer: { writeLine: line => t.comment(line) },
    now: () => 0,
  });
  const mapPath = (namespace: string, name: string) => objectPath(CONFIG_MAPS, namespace, name);
  const bundle = async (namespace: string, name: string): Promise<unknown> => {
    const map: JsonObject = await client.request({ path: mapPath(namespace, name) }).catch(() => ({}));
    return isJsonObject(map['data']) ? map['data'][BUNDLE_KEY] : undefined;
  };
  /** The test's timeout is its deadline. */
  const until = async (namespace: string, name: string, pem: string): Promise<void> => {
    while ((await bundle(namespace, name)) !== pem) await sleep(POLL_MS);
  };
  const change = (path: string, body: JsonObject) =>
    client.request({ method: 'PATCH', path, contentType: MERGE_PATCH, body });

  await ensureObject(client, NAMESPACES, { metadata: { name: 'istio' } });
  await ensureObject(client, CONFIG_MAPS, {
    metadata: { namespace: 'istio', name: SHARED_NAME, labels: { 'istio.io/config': 'true' } },
    data: { [BUNDLE_KEY]: 'of another mesh' },
  });
  const publisher = new RootBundlePublisher({
    api: client,
    ca,
    clock: systemClock,
    random: Math.random,
    logger,
  });
  t.teardown(() => publisher.stop());
  publisher.start();

  await t.test('in those that are there, and in those that come', async () => {
    await until('default', OWN_NAME, ca.trust.bundle.pem);
    await until('default', SHARED_NAME, ca.trust.bundle.pem);
    await ensureObject(client, NAMESPACES, { metadata: { name: 'late' } });
    await until('late', SHARED_NAME, ca.trust.bundle.pem);
  });

  await t.test('another mesh’s ConfigMap is left alone', async t => {
    await until('istio', OWN_NAME, ca.trust.bundle.pem);
    t.equal(await bundle('istio', SHARED_NAME), 'of another mesh');
  });

  await t.test('what is changed or deleted is repaired', async () => {
    await change(mapPath('late', OWN_NAME), { data: { [BUNDLE_KEY]: 'broken' } });
    await client.request({ method: 'DELETE', path: mapPath('default', SHARED_NAME) });
    await until('late', OWN_NAME, ca.trust.bundle.pem);
    await until('default', SHARED_NAME, ca.trust.bundle.pem);
  });

  await t.test('a new root is there beside the old one', async t => {
    await ca.prepareRotation();
    t.equal(ca.trust.bundle.roots.length, 2);
    for (const namespace of ['default', 'late', 'istio'])
      await until(namespace, OWN_NAME, ca.trust.bundle.pem);
    t.equal(await bundle('istio', SHARED_NAME), 'of another mesh');
  });

  await t.test('a leader that has stopped writes nothing, one that starts again catches up', async t => {
    await publisher.stop();
    await change(mapPath('late', OWN_NAME), { data: { [BUNDLE_KEY]: 'broken' } });
    await ensureObject(client, NAMESPACES, { metadata: { name: 'meanwhile' } });
    t.equal(await bundle('late', OWN_NAME), 'broken');
    publisher.start();
    await until('late', OWN_NAME, ca.trust.bundle.pem);
    await until('meanwhile', SHARED_NAME, ca.trust.bundle.pem);
  });
});
