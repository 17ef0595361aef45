import { X509Certificate } from 'node:crypto';
import { type Test, test } from 'tap';
import { type CertificateIssuer, issueLeaf, issueRoot } from '../pki/certificate.ts';
import { verifyCsr } from '../pki/csr.ts';
import { generateKey, softwareProvider } from '../pki/crypto-provider.ts';
import { parseSpiffeId, type SpiffeId } from '../spiffe/spiffe-id.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { CertificateManager, type CertificateUpdate } from './certificate-manager.ts';
import { createFakeCa } from './fake-ca.ts';
import type { CertificateManagerOptions, RenewalFailure } from './manager-options.ts';
import type { CertificateRequest } from './request-certificate.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const A = parseSpiffeId('spiffe://cluster.local/ns/shop/sa/a');
const B = parseSpiffeId('spiffe://cluster.local/ns/shop/sa/b');

/** A CA with one root or two that answers, refuses or holds answers back. */
async function fakeCa(clock: FakeClock) {
  const far = { notBeforeMs: clock.now() - 30 * DAY_MS, notAfterMs: clock.now() + 3650 * DAY_MS };
  const issuers: CertificateIssuer[] = [];
  const roots: string[] = [];
  for (const name of ['old', 'new']) {
    const issuer = { subject: `CN=${name}`, key: await generateKey(softwareProvider, false) };
    issuers.push(issuer);
    roots.push(await issueRoot(issuer, far));
  }
  const ca = {
    roots,
    asked: [] as SpiffeId[],
    refusal: undefined as string | undefined,
    signer: 0,
    trusted: [0],
    /** By how much its clock is ahead of the proxy's. */
    aheadMs: 0,
    /** Replaced by a test that wants answers to wait. */
    hold: async (): Promise<void> => undefined,
    async request({ csrPem, identity, ttlMs }: CertificateRequest): Promise<string[]> {
      ca.asked.push(identity);
      const answerRoots = ca.trusted.map(index => roots[index] ?? '').join('');
      await ca.hold();
      if (ca.refusal !== undefined) throw new Error(ca.refusal);
      const issuer = issuers[ca.signer];
      if (issuer === undefined) throw new Error('no such signer');
      const { publicKeySpki } = await verifyCsr(softwareProvider, csrPem, identity);
      const validity = {
        notBeforeMs: clock.now() + ca.aheadMs - 1000,
        notAfterMs: clock.now() + ca.aheadMs + (ttlMs === 0 ? DAY_MS : ttlMs),
      };
      return [await issueLeaf(issuer, identity, publicKeySpki, validity), answerRoots];
    },
  };
  return ca;
}

async function setup(t: Test, more: Partial<CertificateManagerOptions> = {}) {
  const clock = new FakeClock();
  const ca = await fakeCa(clock);
  const failures: RenewalFailure[] = [];
  const updates: CertificateUpdate[] = [];
  const manager = new CertificateManager({
    clock,
    requestCertificate: request => ca.request(request),
    random: () => 0.5,
    onFailure: failure => void failures.push(failure),
    ...more,
  });
  manager.subscribe(update => void updates.push(update));
  t.teardown(() => {
    manager.close();
    if (clock.pendingTimers > 0) throw new Error('a timer is left behind');
  });
  /** Moves time on in steps, so that requests made meanwhile are answered. */
  const advance = async (byMs: number, stepMs = byMs): Promise<void> => {
    for (let left = byMs; left > 0; left -= stepMs) {
      clock.advance(Math.min(stepMs, left));
      await manager.whenIdle();
    }
  };
  return { clock, ca, manager, failures, updates, advance };
}

test('a retained identity is fetched once, announced and renewed at half of its life', async t => {
  const { ca, manager, updates, advance, clock } = await setup(t);
  manager.retain(A);
  manager.retain(A);
  await manager.whenIdle();
  t.strictSame(ca.asked, [A]);
  const material = manager.current(A);
  t.equal(new X509Certificate(material?.certChainPem ?? '').subjectAltName, `URI:${A}`);
  t.equal(material?.notAfterMs, clock.now() + DAY_MS);
  t.equal(material?.trustBundlePem, ca.roots[0]);
  await advance(12 * HOUR_MS - 100);
  t.equal(ca.asked.length, 1);
  await advance(200);
  t.equal(ca.asked.length, 2);
  t.not(manager.current(A)?.serial, material?.serial);
  t.not(manager.current(A)?.privateKeyPem, material?.privateKeyPem, 'each certificate has a key of its own');
  t.strictSame(
    updates.map(update => update.type),
    ['certificate', 'certificate'],
  );
});

test('a still valid certificate is kept while renewal fails, with the backoff of its identity', async t => {
  const { ca, manager, failures, advance } = await setup(t);
  manager.retain(A);
  await manager.whenIdle();
  const before = manager.current(A);
  ca.refusal = 'UNAVAILABLE: no controller';
  await advance(12 * HOUR_MS + 100);
  for (const _ of Array.from({ length: 10 })) await advance(failures.at(-1)?.retryInMs ?? 0);
  t.strictSame(
    failures.slice(0, 9).map(failure => failure.retryInMs / 1000),
    [1, 2, 4, 8, 16, 32, 64, 128, 150],
  );
  t.match(failures[0], {
    identity: A,
    message: 'UNAVAILABLE: no controller',
    notAfterMs: before?.notAfterMs,
  });
  t.equal(manager.current(A)?.serial, before?.serial, 'the certificate is still there');
  t.match(manager.status(), [{ identity: A, state: 'Available', error: 'UNAVAILABLE: no controller' }]);
  ca.refusal = undefined;
  await advance(150_000);
  t.not(manager.current(A)?.serial, before?.serial);
  t.equal(manager.status()[0]?.error, undefined);
});

test('a certificate that ended while the machine slept is not handed out and is fetched at once', async t => {
  const { clock, ca, manager, advance } = await setup(t);
  manager.retain(A);
  await manager.whenIdle();
  clock.jumpWallClock(30 * HOUR_MS);
  t.match(manager.status(), [
    {
      state: 'Unavailable',
      certChain: [
        { type: 'Leaf', valid: false },
        { type: 'Root', valid: true },
      ],
    },
  ]);
  t.match(manager.gauges(), {
    identities: 1,
    unavailable: 1,
    earliestExpirySeconds: clock.now() / 1000 - 6 * 3600,
  });
  t.equal(manager.current(A), undefined);
  await manager.whenIdle();
  t.equal(ca.asked.length, 2);
  t.ok(manager.current(A));
  clock.jumpWallClock(13 * HOUR_MS);
  await advance(10_000);
  t.equal(ca.asked.length, 3, 'without a connection the clock is looked at every ten seconds');
});

test('a wall clock set back does not hold retries up, and a certificate of the future is replaced', async t => {
  const { clock, ca, manager, advance } = await setup(t);
  ca.refusal = 'no';
  manager.retain(A);
  await manager.whenIdle();
  clock.jumpWallClock(-5 * HOUR_MS);
  ca.refusal = undefined;
  await advance(1000);
  t.ok(manager.current(A));
  clock.jumpWallClock(-HOUR_MS);
  t.equal(manager.current(A), undefined);
  await manager.whenIdle();
  t.ok(manager.current(A));
});

/** [sentence, of the proxy's wall clock; the CA's is right, or the same] */
const JUMPS: readonly (readonly [sentence: string, hours: number])[] = [
  ['forward by less than half of the life', 6],
  ['forward beyond the end', 30],
  ['forward by days, as of a machine that slept', 96],
  ['back by hours: the certificate is of the future', -6],
  ['back by days', -96],
];

for (const [sentence, hours] of JUMPS) {
  test(`a wall clock that is set ${sentence}: a valid certificate within eleven seconds, and the next in time`, async t => {
    const { clock, ca, manager, advance } = await setup(t);
    manager.retain(A);
    await manager.whenIdle();
    clock.jumpWallClock(hours * HOUR_MS);
    await advance(11_000, 1_000);
    t.equal(manager.status()[0]?.state, 'Available');
    const asked = ca.asked.length;
    await advance(13 * HOUR_MS, 10_000);
    t.equal(
      ca.asked.length,
      asked + 1,
      'at half of its life: no renewal waits for the old time, none is made twice',
    );
  });
}

test('a proxy whose clock alone is wrong has a certificate within three minutes of its being set right', async t => {
  const { clock, ca, failures, manager, advance } = await setup(t);
  manager.retain(A);
  await manager.whenIdle();
  // What the CA signs by the right time is of the future here.
  ca.aheadMs = 6 * HOUR_MS;
  clock.jumpWallClock(-6 * HOUR_MS);
  await advance(HOUR_MS, 10_000);
  t.equal(manager.status()[0]?.state, 'Unavailable');
  t.match(failures.at(-1)?.message, /not valid before .*check the clocks/);
  ca.aheadMs = 0;
  clock.jumpWallClock(6 * HOUR_MS);
  await advance(180_000, 1_000);
  t.equal(manager.status()[0]?.state, 'Available');
});

test('root rotation: a new root is known to all certificates at once, and all are fetched again', async t => {
  const { ca, manager, updates, advance } = await setup(t);
  const [oldRoot = '', newRoot = ''] = ca.roots;
  manager.retain(A);
  manager.retain(B);
  await manager.whenIdle();
  manager.trustChanged('v1', oldRoot);
  updates.length = 0;

  ca.trusted = [0, 1];
  manager.trustChanged('v2', oldRoot + newRoot);
  const bundles = updates.flatMap(update =>
    update.type === 'certificate' ? [update.material.trustBundlePem] : [],
  );
  t.strictSame(bundles, [oldRoot + newRoot, oldRoot + newRoot], 'before any request');
  t.equal(ca.asked.length, 2);
  await advance(10_000);
  t.equal(ca.asked.length, 4);

  ca.signer = 1;
  manager.trustChanged('v3', oldRoot + newRoot);
  await advance(10_000);
  t.equal(ca.asked.length, 6, 'another signer: leaves of the old root go out of use');

  ca.trusted = [1];
  manager.trustChanged('v4', newRoot);
  t.equal(manager.current(A)?.trustBundlePem, newRoot);
  manager.trustChanged('v4', newRoot);
  await advance(10_000);
  t.equal(ca.asked.length, 8, 'the same version again changes nothing');
  t.throws(() => manager.trustChanged('v5', 'nonsense'), { name: 'SpiffeError' });
  t.equal(manager.trustBundle?.pem, newRoot);
});

test('an answer’s roots reach all certificates without a word of the controller', async t => {
  const { ca, manager } = await setup(t);
  manager.retain(A);
  await manager.whenIdle();
  ca.trusted = [0, 1];
  manager.retain(B);
  await manager.whenIdle();
  t.equal(manager.current(A)?.trustBundlePem, ca.roots.join(''));
});

test('an answer that was overtaken by a change of roots cannot take the new root away', async t => {
  const { ca, manager, advance } = await setup(t);
  const [oldRoot = '', newRoot = ''] = ca.roots;
  const gate = Promise.withResolvers<void>();
  ca.hold = () => gate.promise;
  manager.retain(A);
  manager.trustChanged('v2', oldRoot + newRoot);
  await new Promise(setImmediate);
  ca.trusted = [0, 1];
  gate.resolve();
  await manager.whenIdle();
  t.equal(manager.trustBundle?.roots.length, 2);
  await advance(10_000);
  t.equal(manager.trustBundle?.roots.length, 2);
  t.equal(ca.asked.length, 2, 'it is asked again to settle');
});

test('requests are bounded, and who waits for a connection goes first', async t => {
  const { ca, manager } = await setup(t, { maxConcurrent: 2 });
  const gate = Promise.withResolvers<void>();
  let running = 0;
  let most = 0;
  ca.hold = async () => {
    most = Math.max(most, (running += 1));
    await gate.promise;
    running -= 1;
  };
  const ids = ['c', 'd', 'e', 'f', 'g'].map(name =>
    parseSpiffeId(`spiffe://cluster.local/ns/shop/sa/${name}`),
  );
  for (const id of ids) manager.retain(id, id === ids[2] ? 'Background' : 'Warmup');
  const waiting = manager.waitFor(A, 5000);
  const raised = manager.waitFor(ids[4] ?? A, 5000);
  gate.resolve();
  await Promise.all([waiting, raised, manager.whenIdle()]);
  t.equal(most, 2);
  t.strictSame(ca.asked, [ids[0], ids[1], A, ids[4], ids[3], ids[2]]);
});

test('waitFor ends with the CA’s refusal, and a backoff is not shortened by who asks', async t => {
  const { clock, ca, manager } = await setup(t);
  ca.refusal = 'PERMISSION_DENIED: not on this node';
  const waiting = manager.waitFor(A, 500);
  await manager.whenIdle();
  t.equal(manager.current(A), undefined);
  manager.retain(A, 'RealTime').release();
  await manager.whenIdle();
  t.equal(ca.asked.length, 1);
  clock.advance(500);
  await t.rejects(waiting, {
    message: `no certificate for ${A} within 500 ms: PERMISSION_DENIED: not on this node`,
  });
  t.match(manager.status(), [{ identity: A, state: 'Unavailable', certChain: [] }]);
});

test('a controller that is back is asked at once for what failed meanwhile, and for nothing else', async t => {
  const { ca, manager, failures, advance } = await setup(t);
  manager.retain(A);
  await manager.whenIdle();
  ca.refusal = 'UNAVAILABLE: no controller';
  manager.retain(B);
  for (let attempt = 0; attempt < 8; attempt++) {
    await manager.whenIdle();
    await advance(failures.at(-1)?.retryInMs ?? 0);
  }
  t.ok((failures.at(-1)?.retryInMs ?? 0) > 60_000, 'it would wait for more than a minute');
  const asked = ca.asked.length;
  manager.controllerReached();
  await advance(100, 10);
  t.strictSame(ca.asked.slice(asked), [B]);
  t.ok((failures.at(-1)?.retryInMs ?? 0) < 5_000, 'refused again, it waits as at the beginning');
  ca.refusal = undefined;
  manager.controllerReached();
  await advance(100, 10);
  t.ok(manager.current(B));
  const done = ca.asked.length;
  manager.controllerReached();
  await advance(1_000);
  t.equal(ca.asked.length, done, 'certificates that are held are left alone');
});

test('a CA that signs with something else is asked at once for what it refused', async t => {
  const { ca, manager, failures, advance } = await setup(t);
  const [oldRoot = ''] = ca.roots;
  manager.retain(A);
  await manager.whenIdle();
  manager.trustChanged('v1', oldRoot);
  ca.refusal = 'UNAVAILABLE: the intermediate has ended';
  manager.retain(B);
  for (let attempt = 0; attempt < 8; attempt++) {
    await manager.whenIdle();
    await advance(failures.at(-1)?.retryInMs ?? 0);
  }
  ca.refusal = undefined;
  manager.trustChanged('v2', oldRoot);
  await advance(100, 10);
  t.ok(manager.current(B), 'though it would have waited for two minutes');
});

test('a CA that does not answer is given up after the deadline', async t => {
  const { clock, ca, manager, failures } = await setup(t);
  ca.hold = () => new Promise(() => undefined);
  manager.retain(A);
  while (ca.asked.length === 0) await new Promise(setImmediate);
  clock.advance(10_000);
  await manager.whenIdle();
  t.match(failures, [{ message: 'the CA did not answer within 10000 ms' }]);
});

test('answers that are not what was asked for are refused', async t => {
  const clock = new FakeClock();
  const ca = await fakeCa(clock);
  const other = await fakeCa(clock);
  const answers: readonly (readonly [
    answer: (r: CertificateRequest) => Promise<readonly string[]>,
    message: RegExp,
  ])[] = [
    [async () => [], /no leaf or no root/],
    [async () => ['x', 'y'], /no leaf or no root/],
    [async r => [(await ca.request(r))[0] ?? '', other.roots[0] ?? ''], /no CA certificate at hand signed/],
    [async r => ca.request({ ...r, ttlMs: -500 }), /expired at/],
  ];
  for (const [requestCertificate, message] of answers) {
    const failures: RenewalFailure[] = [];
    const onFailure = (failure: RenewalFailure) => void failures.push(failure);
    const manager = new CertificateManager({ clock, requestCertificate, onFailure });
    manager.retain(A);
    await manager.whenIdle();
    t.match(failures, [{ message }]);
    t.equal(manager.current(A), undefined);
    manager.close();
  }
});

test('an unused identity is kept for the release delay, then released; a use meanwhile keeps it', async t => {
  const { manager, updates, advance, ca } = await setup(t);
  const [first, second] = [manager.retain(A), manager.retain(A)];
  await manager.whenIdle();
  first.release();
  first.release();
  await advance(61_000);
  t.ok(manager.current(A), 'the second lease still counts');
  second.release();
  await advance(59_000);
  const third = manager.retain(A);
  await advance(61_000);
  t.ok(manager.current(A));
  t.equal(ca.asked.length, 1);
  third.release();
  await advance(61_000);
  t.match(updates.at(-1), { type: 'released', identity: A });
  t.strictSame(manager.status(), []);
});

test('the number of identities is bounded', async t => {
  const { manager } = await setup(t, { maxIdentities: 1 });
  manager.retain(A);
  t.throws(() => manager.retain(B), { message: /1 identities are in use/ });
  await manager.whenIdle();
});

test('export and import carry certificates over a restart; what is bad is left out with the reason', async t => {
  const first = await setup(t);
  first.manager.retain(A);
  first.manager.retain(B);
  await first.manager.whenIdle();
  const snapshot = first.manager.export();
  const [a, b] = snapshot?.certificates ?? [];
  if (snapshot === undefined || a === undefined || b === undefined) throw new Error('nothing exported');

  const second = await setup(t);
  second.ca.refusal = 'no controller';
  const crossed = { ...b, privateKeyPem: a.privateKeyPem };
  const misnamed = { ...a, identity: parseSpiffeId('spiffe://cluster.local/ns/shop/sa/z') };
  t.match(second.manager.import({ ...snapshot, certificates: [a, crossed, misnamed] }), [
    { identity: B, reason: /over another key/ },
    { reason: /asked for .*\/sa\/z, got/ },
  ]);
  second.manager.retain(A);
  await second.manager.whenIdle();
  t.equal(second.ca.asked.length, 0, 'it is served from the snapshot');
  t.equal(second.manager.current(A)?.serial, first.manager.current(A)?.serial);

  const third = await setup(t);
  third.clock.jumpWallClock(2 * DAY_MS);
  t.match(third.manager.import(snapshot), [{ reason: /expired/ }, { reason: /expired/ }]);
  t.throws(() => third.manager.import({ ...snapshot, trustBundlePem: '' }), { name: 'SpiffeError' });
});

test('an imported certificate that nobody retains goes after the release delay', async t => {
  const first = await setup(t);
  first.manager.retain(A);
  await first.manager.whenIdle();
  const second = await setup(t);
  second.manager.import(first.manager.export() ?? { trustBundlePem: '', certificates: [] });
  await second.advance(61_000);
  t.strictSame(second.manager.status(), []);
});

test('FAKE_CA: two proxies with a fake CA each trust each other', async t => {
  const clock = new FakeClock();
  const managers = [];
  for (const identity of [A, B]) {
    const manager = new CertificateManager({
      clock,
      requestCertificate: await createFakeCa(clock),
      ttlMs: HOUR_MS,
    });
    t.teardown(() => manager.close());
    managers.push(await manager.waitFor(identity, 1000));
  }
  const [a, b] = managers;
  const leaf = new X509Certificate(a?.certChainPem ?? '');
  t.ok(leaf.verify(new X509Certificate(b?.trustBundlePem ?? '').publicKey));
  t.equal(a?.notAfterMs, clock.now() + HOUR_MS);
});

test('the status list is what ambientctl shows', async t => {
  const { manager, clock } = await setup(t);
  manager.retain(B);
  manager.retain(A);
  t.match(manager.status(), [{ identity: A, state: 'Initializing', certChain: [] }, { identity: B }]);
  await manager.whenIdle();
  t.match(manager.status()[0]?.certChain, [
    {
      type: 'Leaf',
      valid: true,
      serial: /^[0-9a-f]{32}$/,
      notAfter: new Date(clock.now() + DAY_MS).toISOString(),
    },
    { type: 'Root', valid: true },
  ]);
  t.strictSame(manager.gauges(), {
    identities: 2,
    unavailable: 0,
    earliestExpirySeconds: clock.now() / 1000 + 86_400,
  });
});
