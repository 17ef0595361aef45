import { type Test, test } from 'tap';
import type { JsonObject } from '#shared/config/json.ts';
import { FakeKubeApi } from '#shared/testing/fake-kube-api.ts';
import { KubeError } from '#shared/kube/kube-error.ts';
import { quietLogger } from '#shared/testing/quiet-logger.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { NodeTaints } from './node-taints.ts';

const OTHER = { key: 'gpu', effect: 'NoSchedule' };
const OURS = { key: 'ambient.mesh/not-ready', effect: 'NoSchedule' };

function node(name: string, version: string, taints: readonly object[]): JsonObject {
  return { metadata: { name, resourceVersion: version }, spec: { taints } };
}

function ztunnel(nodeName: string, version: string, ready: string): JsonObject {
  return {
    metadata: { name: `ztunnel-${nodeName}`, namespace: 'istio-system', resourceVersion: version },
    spec: { nodeName },
    status: { conditions: [{ type: 'Ready', status: ready }] },
  };
}

async function setUp(t: Test, nodes: JsonObject[], pods: JsonObject[]) {
  const patches: unknown[] = [];
  const state = { refusals: 0 };
  const clock = new FakeClock();
  const api = new FakeKubeApi(request => {
    if (request.method === 'PATCH') {
      patches.push([request.path, request.body]);
      if (state.refusals-- > 0) throw new KubeError(409, 'Conflict', 'the node has changed');
      return {};
    }
    return { metadata: { resourceVersion: '1' }, items: request.path === '/api/v1/nodes' ? nodes : pods };
  });
  const task = new NodeTaints({
    api,
    namespace: 'istio-system',
    labelSelector: 'app.kubernetes.io/name=ztunnel',
    clock,
    random: () => 0.5,
    logger: quietLogger,
  });
  t.teardown(() => task.stop());
  task.start();
  await settled();
  const watchOf = (path: string) => api.watches.find(({ request }) => request.path.endsWith(path));
  return { api, clock, patches, state, watchOf };
}

async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve));
}

test('a node is closed while its ztunnel starts, and free when it is ready', async t => {
  const { api, patches, watchOf } = await setUp(t, [node('n1', '7', [OTHER])], [ztunnel('n1', '3', 'False')]);
  t.match(
    api.requests.find(({ path }) => path.endsWith('/pods')),
    {
      path: '/api/v1/namespaces/istio-system/pods',
      query: { labelSelector: 'app.kubernetes.io/name=ztunnel' },
    },
  );
  const nodes = api.requests.find(({ path }) => path === '/api/v1/nodes');
  t.equal(nodes?.query?.['labelSelector'], undefined, 'every node, whatever its labels');
  t.same(patches, [
    ['/api/v1/nodes/n1', { metadata: { resourceVersion: '7' }, spec: { taints: [OTHER, OURS] } }],
  ]);
  watchOf('/nodes')?.send({ type: 'MODIFIED', object: node('n1', '8', [OTHER, OURS]) });
  watchOf('/pods')?.send({ type: 'MODIFIED', object: ztunnel('n1', '4', 'True') });
  await settled();
  t.same(patches.at(-1), [
    '/api/v1/nodes/n1',
    { metadata: { resourceVersion: '8' }, spec: { taints: [OTHER] } },
  ]);
  watchOf('/nodes')?.send({ type: 'MODIFIED', object: node('n1', '9', [OTHER]) });
  watchOf('/pods')?.send({ type: 'DELETED', object: ztunnel('n1', '4', 'True') });
  await settled();
  t.equal(patches.length, 2, 'a ztunnel that goes for good closes nothing');
});

test('a node that somebody else has changed meanwhile is looked at again', async t => {
  const { clock, patches, state, watchOf } = await setUp(
    t,
    [node('n1', '7', [])],
    [ztunnel('n1', '3', 'True')],
  );
  t.same(patches, []);
  state.refusals = 1;
  watchOf('/pods')?.send({ type: 'MODIFIED', object: ztunnel('n1', '4', 'False') });
  await settled();
  watchOf('/nodes')?.send({ type: 'MODIFIED', object: node('n1', '9', [OTHER]) });
  await settled();
  clock.advance(1_000);
  await settled();
  t.same(patches.at(-1), [
    '/api/v1/nodes/n1',
    { metadata: { resourceVersion: '9' }, spec: { taints: [OTHER, OURS] } },
  ]);
});
