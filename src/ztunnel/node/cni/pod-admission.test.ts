import { test } from 'tap';
import type { AdmissionRequest } from '#shared/cni/admission.ts';
import { quietLogger } from '#shared/testing/quiet-logger.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { netnsInode } from '../kubernetes/pod-netns.ts';
import type { LocalPod, PodStatus } from '../local-pod.ts';
import { PodAdmission, type PodAdmissionOptions } from './pod-admission.ts';

/** A network namespace of this machine's own: all that counts is that it is there. */
const NETNS = '/proc/self/ns/net';
const INODE = netnsInode(NETNS) ?? 0n;
const REQUEST: AdmissionRequest = {
  command: 'add',
  uid: 'u-1',
  namespace: 'shop',
  name: 'orders-1',
  netns: NETNS,
  ips: ['10.0.0.1', 'FD00::0:1'],
};
const POD: LocalPod = {
  uid: 'u-1',
  name: 'orders-1',
  namespace: 'shop',
  serviceAccount: 'orders',
  labels: { 'istio.io/dataplane-mode': 'ambient' },
  namespaceLabels: {},
  ips: ['10.0.0.1'],
  netnsPath: NETNS,
  hostNetwork: false,
  starting: true,
  sidecar: undefined,
  bypassInbound: false,
  dnsCapture: undefined,
  probePorts: [],
};

function admission(
  change: Partial<PodAdmissionOptions> & { statuses?: { status: PodStatus; inode: bigint }[] } = {},
) {
  const clock = new FakeClock();
  const calls: unknown[] = [];
  const { statuses = [{ status: { state: 'enrolled', message: 'yes' }, inode: INODE }], ...options } = change;
  const made = new PodAdmission({
    admit: pod => {
      calls.push(pod);
      return Promise.resolve(POD);
    },
    release: (uid, path) => void calls.push(`release ${uid} ${path}`),
    settled: () => {
      const [next] = statuses.length > 1 ? statuses.splice(0, 1) : statuses;
      if (next === undefined) return Promise.resolve(undefined);
      const sockets = { outbound: [], inboundPlaintext: [], inboundHbone: [] };
      const enrolled = { pod: POD, netnsFd: 0, netnsInode: next.inode, sockets };
      return Promise.resolve({ status: next.status, enrolled });
    },
    isReleased: () => false,
    rules: { excludedNamespaces: new Set(['kube-system']) },
    clock,
    logger: quietLogger,
    ...options,
  });
  return { made, clock, calls };
}

async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise(resolve => setImmediate(resolve));
}

test('a pod of the mesh may start when it is captured', async t => {
  const { made, calls, clock } = admission();
  t.match(await made.answer(REQUEST), { ok: true, captured: true });
  t.match(calls, [{ runtimeUid: 'u-1', netns: { path: NETNS, inode: INODE, ips: ['10.0.0.1', 'fd00::1'] } }]);
  t.equal(clock.pendingTimers, 0);
});

test('what has nothing to do with the mesh may start at once', async t => {
  const none = { ...POD, labels: {} };
  t.match(await admission({ admit: () => Promise.resolve(none) }).made.answer(REQUEST), {
    ok: true,
    captured: false,
  });
  const excluded = admission();
  t.match(await excluded.made.answer({ ...REQUEST, namespace: 'kube-system' }), {
    ok: true,
    captured: false,
  });
  t.same(excluded.calls, [], 'nobody is asked about it: it may be what the API server needs');
  t.match(await admission({ isReleased: () => true }).made.answer(REQUEST), { ok: true, captured: false });
});

test('capture in an earlier sandbox of the pod does not count', async t => {
  const { made, clock } = admission({
    statuses: [
      { status: { state: 'enrolled', message: 'yes' }, inode: INODE + 1n },
      { status: { state: 'failed', message: 'port 15006 is used' }, inode: INODE },
      { status: { state: 'enrolled', message: 'yes' }, inode: INODE },
    ],
  });
  const answer = made.answer(REQUEST);
  await settled();
  clock.advance(100);
  await settled();
  clock.advance(100);
  t.match(await answer, { ok: true, captured: true }, 'and what failed is tried again');
});

test('a pod that cannot be captured does not start, and is told why', async t => {
  for (const [sentence, change, reason] of [
    ['nobody knows it', { admit: () => Promise.reject(new Error('no such pod')) }, 'no such pod'],
    ['it is gone', { statuses: [] }, 'the pod is gone'],
  ] as const) {
    t.same(
      await admission({ ...change, statuses: [] }).made.answer(REQUEST),
      { ok: false, reason },
      sentence,
    );
  }
  const missing = await admission().made.answer({ ...REQUEST, netns: '/run/netns/none' });
  t.match(missing, { ok: false, reason: /cannot be seen by ztunnel: is its directory mounted/ });

  const { made, clock } = admission({
    statuses: [{ status: { state: 'failed', message: 'port 15006 is used' }, inode: INODE }],
  });
  const answer = made.answer(REQUEST);
  await settled();
  clock.advance(8_000);
  t.same(await answer, { ok: false, reason: 'port 15006 is used' }, 'the last reason, after 8 s');
});

test('a sandbox that goes is let go', async t => {
  const { made, calls } = admission();
  t.match(await made.answer({ ...REQUEST, command: 'del' }), { ok: true });
  t.same(calls, [`release u-1 ${NETNS}`]);
});
