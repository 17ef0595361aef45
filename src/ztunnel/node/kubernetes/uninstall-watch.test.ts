import { type Test, test } from 'tap';
import { FakeKubeApi } from '#shared/testing/fake-kube-api.ts';
import { type Asked, HttpApiServer, sendEvents, sendJson, until } from '#shared/testing/http-api-server.ts';
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

/** In place of an API server that was there. */
const STRANGERS: readonly (readonly [string, (asked: Asked) => void])[] = [
  ['a page to log in', ({ response }) => void response.writeHead(200).end('<html>log in</html>')],
  ['an object', ({ response }) => sendJson(response, { hello: 'world' })],
  ['nothing', ({ response }) => void response.writeHead(200).end()],
  ['that it knows of nothing', ({ response }) => void response.writeHead(404).end('default backend - 404')],
  ['that nobody may ask', ({ response }) => sendJson(response, { code: 403, reason: 'Forbidden' }, 403)],
];

for (const [what, answer] of STRANGERS) {
  test(`somebody who answers ${what} for the API server does not uninstall the mesh`, async t => {
    const clock = new FakeClock();
    const server = await HttpApiServer.start(clock);
    const told: string[] = [];
    const watch = new UninstallWatch({
      api: server.client,
      namespace: 'istio-system',
      daemonSet: 'ztunnel',
      onUninstall: reason => void told.push(reason),
      clock,
      random: () => 0.5,
      logger: quietLogger,
    });
    t.teardown(async () => {
      await watch.stop();
      await server.stop();
    });
    server.answer = ({ isWatch, response }) => {
      if (isWatch) sendEvents(response);
      else sendJson(response, { metadata: { resourceVersion: '1' }, items: [daemonSet('1')] });
    };
    watch.start();
    await until(() => server.watches === 1);
    server.answer = answer;
    server.asked.at(-1)?.request.socket.destroy();
    // The watch is tried again, and after half an hour the list.
    for (let minute = 0; minute < 40; minute++) {
      clock.advance(60_000);
      for (let turn = 0; turn < 60; turn++) await new Promise(resolve => setImmediate(resolve));
    }
    t.ok(server.lists > 1, 'it was asked for all there is');
    t.same(told, []);
  });
}
