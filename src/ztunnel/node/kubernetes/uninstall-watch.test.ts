import { type Test, test } from 'tap';
import { FakeKubeApi } from '#shared/testing/fake-kube-api.ts';
import { quietLogger } from '#shared/testing/quiet-logger.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { UninstallWatch } from './uninstall-watch.ts';

function daemonSet(version: string, more: object = {}): { metadata: object } {
  return {
    metadata: { name: 'ztunnel', namespace: 'istio-system', uid: 'd-1', resourceVersion: version, ...more },
  };
}

async function setUp(t: Test, items: object[]) {
  const api = new FakeKubeApi(() => ({ metadata: { resourceVersion: '1' }, items }));
  const told: string[] = [];
  const watch = new UninstallWatch({
    api,
    namespace: 'istio-system',
    daemonSet: 'ztunnel',
    onUninstall: reason => void told.push(reason),
    clock: new FakeClock(),
    random: () => 0.5,
    logger: quietLogger,
  });
  t.teardown(() => watch.stop());
  watch.start();
  for (let i = 0; i < 10; i++) await new Promise(resolve => setImmediate(resolve));
  return { api, told, open: api.watches[0] };
}

test('an upgrade changes the DaemonSet, and is no uninstallation', async t => {
  const { api, told, open } = await setUp(t, [daemonSet('1')]);
  t.match(api.requests[0], {
    path: '/apis/apps/v1/namespaces/istio-system/daemonsets',
    query: { fieldSelector: 'metadata.name=ztunnel' },
  });
  open?.send({ type: 'MODIFIED', object: daemonSet('2', { generation: 2, annotations: { x: 'y' } }) });
  t.same(told, []);
});

test('each way to uninstall', async t => {
  for (const [sentence, type, object, reason] of [
    ['it is deleted', 'DELETED', daemonSet('2'), 'is deleted'],
    ['it is being deleted', 'MODIFIED', daemonSet('2', { deletionTimestamp: 'now' }), 'is being deleted'],
    [
      'it says so',
      'MODIFIED',
      daemonSet('2', { annotations: { 'ambient.mesh/release': 'true' } }),
      'is annotated ambient.mesh/release=true',
    ],
  ] as const) {
    const { told, open } = await setUp(t, [daemonSet('1')]);
    open?.send({ type, object });
    open?.send({ type: 'MODIFIED', object: daemonSet('3', { deletionTimestamp: 'now' }) });
    t.same(told, [`DaemonSet ztunnel ${reason}`], `${sentence}, and it is told once`);
  }
});

test('a DaemonSet that was never there says nothing', async t => {
  t.same((await setUp(t, [])).told, []);
});
