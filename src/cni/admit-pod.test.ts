import { test } from 'tap';
import type { AdmissionAnswer } from '#shared/cni/admission.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { type AdmitPodOptions, admitPod } from './admit-pod.ts';

const YES: AdmissionAnswer = { ok: true, captured: true, reason: 'captured' };
const ABSENT = new Error('no ztunnel answers at /run/cni.sock: ECONNREFUSED');

function options(clock: FakeClock, change: Partial<AdmitPodOptions>): AdmitPodOptions {
  return {
    pod: { namespace: 'shop', name: 'orders-1', uid: 'u-1' },
    failOpen: false,
    excludedNamespaces: ['kube-system'],
    askZtunnel: () => Promise.reject(ABSENT),
    askApiServer: () => Promise.resolve({ wanted: true, reason: 'label of namespace shop is ambient' }),
    clock,
    ...change,
  };
}

/** Lets time pass until the promise has settled. */
async function outcome(clock: FakeClock, promise: Promise<string>): Promise<string> {
  let settled: string | undefined;
  promise.then(
    text => (settled = text),
    (error: Error) => (settled = `refused: ${error.message}`),
  );
  for (let i = 0; i < 1_000 && settled === undefined; i++) {
    await new Promise(resolve => setImmediate(resolve));
    if (settled === undefined) clock.advance(100);
  }
  return settled ?? 'nothing';
}

test('what happens to a pod', async t => {
  const askApiServer = (): Promise<never> => Promise.reject(new Error('no route to host'));
  for (const [sentence, change, expected] of [
    ['ztunnel says yes', { askZtunnel: () => Promise.resolve(YES) }, /^captured$/],
    [
      'ztunnel says no',
      { askZtunnel: () => Promise.resolve({ ok: false as const, reason: 'port taken' }) },
      /^refused: the mesh cannot take this pod in: port taken/,
    ],
    [
      'no ztunnel: a pod of the mesh does not start',
      {},
      /^refused: pod shop\/orders-1 waits .* is ambient\): no ztunnel/,
    ],
    [
      'no ztunnel: a pod that is not of the mesh starts',
      { askApiServer: () => Promise.resolve({ wanted: false, reason: 'no label' }) },
      /^no label$/,
    ],
    [
      'no ztunnel: what the mesh itself needs starts, and nobody is asked about it',
      { pod: { namespace: 'kube-system', name: 'dns', uid: 'u' }, askApiServer },
      /^namespace kube-system is excluded$/,
    ],
    [
      'neither answers: the pod does not start',
      { askApiServer },
      /^refused: .* neither ztunnel nor the API server answers/,
    ],
    [
      'neither answers, and pods may start then',
      { askApiServer, failOpen: true },
      /^started outside the mesh: no ztunnel/,
    ],
  ] as const) {
    const clock = new FakeClock();
    t.match(await outcome(clock, admitPod(options(clock, change))), expected, sentence);
  }
});

test('a ztunnel that comes back within 15 s is waited for', async t => {
  const clock = new FakeClock();
  let asked = 0;
  const askZtunnel = (): Promise<AdmissionAnswer> =>
    ++asked > 50 ? Promise.resolve(YES) : Promise.reject(ABSENT);
  t.equal(await outcome(clock, admitPod(options(clock, { askZtunnel }))), 'captured');
  t.equal(clock.monotonic(), 5_000);
});
