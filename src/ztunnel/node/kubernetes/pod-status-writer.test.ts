import { type Test, test } from 'tap';
import { FakeKubeApi } from '#shared/testing/fake-kube-api.ts';
import { KubeError } from '#shared/kube/kube-error.ts';
import { loggerInto } from '#shared/testing/logger-into.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import type { KubePod } from './kube-pod.ts';
import { PodStatusWriter } from './pod-status-writer.ts';

const POD: KubePod = {
  uid: 'u-1',
  runtimeUid: 'u-1',
  name: 'orders-1',
  namespace: 'shop',
  serviceAccount: 'orders',
  labels: {},
  ips: [],
  hostNetwork: false,
  phase: 'running',
  isTerminating: false,
  sidecar: undefined,
  bypassInbound: false,
  dnsCapture: undefined,
  probePorts: [],
  redirection: undefined,
};
const ENROLLED = { state: 'enrolled', message: 'yes' } as const;
const LEFT = { state: 'not_captured', message: 'no label' } as const;
const FAILED = { state: 'failed', message: 'port 15006 is used by the pod itself' } as const;

function setUp(t: Test) {
  const api = new FakeKubeApi(() => ({}));
  const clock = new FakeClock();
  const lines: string[] = [];
  const server = { pod: POD as KubePod | undefined };
  const writer = new PodStatusWriter({
    api,
    nodeName: 'n1',
    clock,
    random: () => 0.5,
    logger: loggerInto(lines, { now: () => clock.now() }),
    pod: () => server.pod,
  });
  t.teardown(() => writer.stop());
  return { api, clock, lines, server, writer };
}

async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise(resolve => setImmediate(resolve));
}

test('a pod that is being deleted loses its network first: no event tells of a failure', async t => {
  const { api, server, writer } = setUp(t);
  server.pod = { ...POD, isTerminating: true };
  writer.report('u-1', FAILED);
  await settled();
  t.same(
    api.requests.filter(({ path }) => path.includes('/events')),
    [],
  );
  server.pod = POD;
  writer.report('u-1', FAILED);
  await settled();
  t.equal(api.requests.filter(({ path }) => path.includes('/events')).length, 1, 'of others it does');
});

test('the annotation says how capture stands, of this run of the pod alone', async t => {
  const { api, server, writer } = setUp(t);
  writer.report('u-1', ENROLLED);
  await settled();
  t.match(api.requests, [
    {
      method: 'PATCH',
      contentType: 'application/merge-patch+json',
      path: '/api/v1/namespaces/shop/pods/orders-1/status',
      body: { metadata: { uid: 'u-1', annotations: { 'ambient.istio.io/redirection': 'enabled' } } },
    },
  ]);
  server.pod = { ...POD, redirection: 'enabled' };
  writer.report('u-1', ENROLLED);
  await settled();
  t.equal(api.requests.length, 1, 'what is so already is not written');
  writer.report('u-1', LEFT);
  await settled();
  t.match(api.requests[1]?.body, { metadata: { annotations: { 'ambient.istio.io/redirection': null } } });
});

test('an annotation that somebody else changed is put right', async t => {
  const { api, server, writer } = setUp(t);
  server.pod = { ...POD, redirection: 'enabled' };
  writer.report('u-1', ENROLLED);
  await settled();
  server.pod = POD;
  writer.sync('u-1');
  await settled();
  t.equal(api.requests.length, 1);
  writer.sync('u-2');
  t.equal(api.requests.length, 1, 'a pod nobody has reported on is left alone');
});

test('a failure is an annotation and an event, and the same failure is counted up', async t => {
  const { api, writer } = setUp(t);
  writer.report('u-1', FAILED);
  await settled();
  const event = api.requests.find(({ method }) => method === 'POST');
  t.match(event, {
    path: '/api/v1/namespaces/shop/events',
    body: {
      type: 'Warning',
      reason: 'AmbientCaptureFailed',
      message: /its traffic does not go through it: port 15006 is used by the pod itself/,
      involvedObject: { kind: 'Pod', name: 'orders-1', uid: 'u-1' },
      count: 1,
    },
  });
  t.match(api.requests.find(({ method }) => method === 'PATCH')?.body, {
    metadata: { annotations: { 'ambient.istio.io/redirection': 'pending' } },
  });
  api.answer = ({ method }) => {
    if (method === 'POST') throw new KubeError(409, 'AlreadyExists', 'exists');
    return {};
  };
  writer.report('u-1', FAILED);
  await settled();
  t.match(
    api.requests.findLast(({ path, method }) => method === 'PATCH' && path.includes('/events/orders-1.')),
    { body: { count: 2 } },
  );
});

test('an API server that is away is tried again, and gets the newest wish alone', async t => {
  const { api, clock, lines, writer } = setUp(t);
  api.answer = () => {
    throw new Error('connect ECONNREFUSED');
  };
  writer.report('u-1', ENROLLED);
  await settled();
  t.match(lines.join(), /cannot write the annotation.*ECONNREFUSED/);
  writer.report('u-1', FAILED);
  api.answer = () => ({});
  clock.advance(100);
  await settled();
  t.match(api.requests.at(-1)?.body, {
    metadata: { annotations: { 'ambient.istio.io/redirection': 'pending' } },
  });
  t.equal(clock.pendingTimers, 0);
});

test('a pod that is gone, or is another one of the same name, is forgotten', async t => {
  for (const status of [404, 409]) {
    const { api, clock, writer } = setUp(t);
    api.answer = () => {
      throw new KubeError(status, 'x', 'x');
    };
    writer.report('u-1', ENROLLED);
    await settled();
    t.equal(api.requests.length, 1, String(status));
    t.equal(clock.pendingTimers, 0);
  }
});
