import { test } from 'tap';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import type { CapturedPod } from '../cluster/pod-capture.ts';
import { DedicatedCapture } from './dedicated-capture.ts';

const AMBIENT = { 'istio.io/dataplane-mode': 'ambient' };

function pod(labels: Record<string, string>, namespaceLabels: Record<string, string>): CapturedPod {
  return {
    uid: 'uid-1',
    spec: {
      name: 'web-0',
      namespace: 'shop',
      nodeName: 'node-a',
      serviceAccount: 'web',
      labels,
      command: [],
      env: {},
      ports: [],
      namedPorts: {},
    },
    network: { node: 'node-a', ips: ['127.64.1.2'], netnsFd: undefined, netnsPath: undefined },
    namespaceLabels,
  };
}

function setUp(startZtunnel: () => Promise<void> = () => Promise.resolve()) {
  const did: string[] = [];
  const note = (what: string) => () => void did.push(what);
  const clock = new FakeClock();
  const capture = new DedicatedCapture({
    network: { joinMesh: note('join'), leaveMesh: note('leave') },
    clock,
    startZtunnel: () => startZtunnel().then(note('start')),
    stopZtunnel: () => Promise.resolve().then(note('stop')),
  });
  const state = (): string => capture.state(pod({}, {})).state;
  return { did, clock, capture, state };
}

const settle = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

test('labels decide, the own one of a pod before that of its namespace', async t => {
  const rows: [
    sentence: string,
    own: Record<string, string>,
    namespace: Record<string, string>,
    state: string,
  ][] = [
    ['no label', {}, {}, 'not_captured'],
    ['the label of the namespace', {}, AMBIENT, 'enrolled'],
    ['the label of the pod', AMBIENT, {}, 'enrolled'],
    ['a pod that opts out', { 'istio.io/dataplane-mode': 'none' }, AMBIENT, 'not_captured'],
  ];
  for (const [sentence, own, namespace, wanted] of rows) {
    const { capture, state } = setUp();
    t.equal(state(), 'unknown');
    capture.describe(pod(own, namespace));
    await settle();
    t.equal(state(), wanted, sentence);
  }
});

test('a pod is enrolled when its ztunnel is ready, once', async t => {
  const { did, capture, state } = setUp();
  capture.describe(pod({}, AMBIENT));
  t.equal(state(), 'unknown', 'its program waits');
  await settle();
  capture.describe(pod({}, AMBIENT));
  await settle();
  t.same(did, ['start', 'join']);
});

test('a pod that leaves and joins again keeps its program', async t => {
  const { did, clock, capture, state } = setUp();
  capture.describe(pod({}, AMBIENT));
  await settle();
  capture.describe(pod({}, {}));
  await settle();
  t.equal(state(), 'not_captured', 'others hear that it has left');
  t.same(did.splice(0), ['start', 'join', 'leave'], 'while its ztunnel still takes what they send');
  capture.describe(pod({}, AMBIENT));
  clock.advance(2_000);
  await settle();
  t.same(did, ['stop', 'start', 'join']);
  t.equal(state(), 'enrolled');
});

test('a ztunnel that does not become ready is tried again at the next look', async t => {
  let fails = true;
  const { did, capture, state } = setUp(() =>
    fails ? Promise.reject(new Error('no port')) : Promise.resolve(),
  );
  capture.describe(pod({}, AMBIENT));
  await settle();
  t.same(capture.state(pod({}, {})), { state: 'failed', message: 'no port' });
  fails = false;
  capture.describe(pod({}, AMBIENT));
  await settle();
  t.equal(state(), 'enrolled');
  t.same(did, ['start', 'join']);
});

test('a pod that is gone before its ztunnel is ready does not join', async t => {
  const { did, capture } = setUp();
  capture.describe(pod({}, AMBIENT));
  await capture.forget(pod({}, {}));
  await settle();
  t.same(did, []);
});
