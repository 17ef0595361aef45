import { test } from 'tap';
import type { JsonObject } from '#shared/config/json.ts';
import { FakeKubeApi } from '#shared/testing/fake-kube-api.ts';
import { kubeErrorOf } from '#shared/kube/kube-error.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { releasePods } from './release-pods.ts';

const DEADLINE_MS = 2_000;

function pod(name: string, redirection?: string): JsonObject {
  const annotations = redirection === undefined ? {} : { 'ambient.istio.io/redirection': redirection };
  return { metadata: { namespace: 'shop', name, annotations } };
}

/** An API server that lists, one after the other, these sets of pods; the last one from then on. */
function cluster(...lists: readonly (readonly JsonObject[])[]): FakeKubeApi {
  const left = [...lists];
  return new FakeKubeApi(({ method }) => {
    if (method === 'PATCH') return {};
    return { items: left.length > 1 ? left.shift() : left[0], metadata: { resourceVersion: '1' } };
  });
}

interface Run {
  readonly lines: readonly string[];
  readonly done: Promise<void>;
}

function run(api: FakeKubeApi, clock = new FakeClock()): Run & { readonly clock: FakeClock } {
  const lines: string[] = [];
  const print = (line: string): void => void lines.push(line);
  const done = releasePods({
    api,
    namespace: 'mesh',
    daemonSet: 'ztunnel',
    deadlineMs: DEADLINE_MS,
    clock,
    print,
  });
  done.catch(() => undefined);
  return { lines, done, clock };
}

async function advance(clock: FakeClock, ms: number): Promise<void> {
  for (let passed = 0; passed <= ms; passed += 100) {
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    clock.advance(100);
  }
}

test('waits until no pod says that it is captured', async t => {
  const api = cluster(
    [pod('a', 'enabled'), pod('b', 'pending'), pod('c')],
    [pod('a', 'enabled')],
    [pod('a')],
  );
  const { clock, done, lines } = run(api);
  await advance(clock, 1_500);
  await done;
  t.same(lines, [
    'DaemonSet mesh/ztunnel: told to release every pod',
    '2 pods are still captured',
    '1 pods are still captured',
    'every pod is released',
  ]);
  t.match(api.requests[0], {
    method: 'PATCH',
    path: '/apis/apps/v1/namespaces/mesh/daemonsets/ztunnel',
    body: { metadata: { annotations: { 'ambient.mesh/release': 'true' } } },
  });
});

test('fails after the deadline, and names the pods', async t => {
  const { clock, done } = run(cluster([pod('a', 'enabled')]));
  await advance(clock, DEADLINE_MS + 1_000);
  await t.rejects(done, {
    message: /^after 2 s these are still captured: shop\/a\. Is the ztunnel of their nodes/,
  });
});

test('a mesh whose DaemonSet is gone captures nobody', async t => {
  const api = new FakeKubeApi(() => {
    throw kubeErrorOf(404, { reason: 'NotFound', message: 'gone' }, 'PATCH');
  });
  const { done, lines } = run(api);
  await done;
  t.same(lines, ['DaemonSet mesh/ztunnel is not there: nobody captures pods']);
});

test('who may not annotate the DaemonSet is told so', async t => {
  const api = new FakeKubeApi(() => {
    throw kubeErrorOf(403, { reason: 'Forbidden', message: 'may not' }, 'PATCH');
  });
  await t.rejects(run(api).done, { message: /may not/ });
});
