import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { readCertificateAnswer, verifyAnswer } from '#shared/pki/cert-chain.ts';
import { exportPublicKey, generateKey, softwareProvider } from '#shared/pki/crypto-provider.ts';
import { parseSpiffeId } from '#shared/spiffe/spiffe-id.ts';
import { parseTrustDomain } from '#shared/spiffe/trust-domain.ts';
import { stagedPath } from '#shared/state/staged-file.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { parseCaState } from './ca-state-text.ts';
import { directoryCaStore } from './ca-store.ts';
import { directoryKeyStore, type KeyStore } from './key-store.ts';
import { ManagedCa, type ManagedCaOptions } from './managed-ca.ts';

const ID = parseSpiffeId('spiffe://cluster.local/ns/shop/sa/orders');
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

async function optionsFor(
  directory: string,
  more: Partial<ManagedCaOptions> = {},
): Promise<ManagedCaOptions> {
  await mkdir(directory, { recursive: true });
  const store = directoryCaStore(directory);
  return { clock: new FakeClock(), trustDomain: parseTrustDomain('cluster.local'), store, ...more };
}

async function publicKey(): Promise<Buffer> {
  return exportPublicKey(await generateKey(softwareProvider, false));
}

async function keyFiles(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter(file => file.endsWith('.pem')).toSorted();
}

test('a leaf chains through the intermediate to the root and lives as long as asked', async t => {
  const clock = new FakeClock();
  const ca = await ManagedCa.open(await optionsFor(t.testdir(), { clock }));
  const key = await publicKey();
  for (const [ttlMs, lifeMs] of [
    [0, 24 * HOUR_MS],
    [60_000, 60_000],
    [400 * DAY_MS, 90 * DAY_MS],
  ] as const) {
    const issued = await ca.issue(ID, key, ttlMs);
    const answer = readCertificateAnswer(issued.certChain);
    verifyAnswer(answer, ID, key, clock.now());
    t.equal(issued.notAfterMs, clock.now() + lifeMs);
    t.equal(answer.leaf.notAfterMs, issued.notAfterMs);
    t.equal(answer.leaf.notBeforeMs, clock.now() - 120_000);
    t.equal(answer.intermediates.length, 1);
  }
  await t.rejects(ca.issue(ID, key, 59_000), {
    code: 'INVALID_ARGUMENT',
    message: /59 s was asked for, the shortest is 60 s/,
  });
});

test('files are readable by their owner only, and the same CA comes back from them', async t => {
  const directory = join(t.testdir(), 'ca');
  const first = await ManagedCa.open(await optionsFor(directory));
  for (const file of await readdir(directory)) {
    t.equal((await stat(join(directory, file))).mode & 0o777, 0o600, file);
  }
  const again = await ManagedCa.open(await optionsFor(directory));
  t.equal(again.trust.version, first.trust.version);
});

test('a damaged state or a missing key stops the start: a new root is never made by accident', async t => {
  const directory = t.testdir();
  await ManagedCa.open(await optionsFor(directory));
  const state = await readFile(join(directory, 'ca-state.json'), 'utf8');
  for (const damage of [
    '',
    '{}',
    '[]',
    state.slice(0, -9),
    state.replace('"stable"', '"odd"'),
    state.replace('MII', 'AAA'),
  ]) {
    await writeFile(join(directory, 'ca-state.json'), damage);
    await t.rejects(ManagedCa.open(await optionsFor(directory)), {
      name: 'CaError',
      message: /is damaged.*backup/,
    });
  }
  await writeFile(join(directory, 'ca-state.json'), state);
  for (const file of await keyFiles(directory)) await rm(join(directory, file));
  await t.rejects(ManagedCa.open(await optionsFor(directory)), { message: /cannot be read: restore/ });
});

test('root rotation: at each phase old and new leaves verify against every bundle in use', async t => {
  const clock = new FakeClock();
  const directory = t.testdir();
  const ca = await ManagedCa.open(await optionsFor(directory, { clock }));
  const key = await publicKey();
  const changes: string[] = [];
  ca.onTrustChange(trust => void changes.push(trust.version));
  const take = async () => readCertificateAnswer((await ca.issue(ID, key, 0)).certChain);
  const stable = await take();

  await ca.prepareRotation();
  t.equal(ca.phase, 'prepared');
  const prepared = await take();
  t.equal(prepared.roots.length, 2);
  t.equal(prepared.roots[0]?.fingerprint, stable.roots[0]?.fingerprint, 'the old root still signs');
  await t.rejects(ca.switchRotation(), {
    code: 'FAILED_PRECONDITION',
    message: /before the new root was announced/,
  });

  clock.advance(28 * HOUR_MS);
  await take();
  await ca.switchRotation();
  const switched = await take();
  t.equal(switched.roots.length, 2);
  t.not(switched.roots[0]?.fingerprint, stable.roots[0]?.fingerprint, 'the new root signs');
  // Who holds the answer of `prepared` accepts a leaf of `switched`.
  verifyAnswer({ ...switched, roots: prepared.roots }, ID, key, clock.now());
  await t.rejects(ca.finishRotation(), { message: /leaves of the old root may live until/ });

  clock.advance(28 * HOUR_MS);
  await ca.finishRotation();
  const finished = await take();
  t.strictSame(
    finished.roots.map(root => root.fingerprint),
    [switched.roots[0]?.fingerprint],
  );
  t.equal((await keyFiles(directory)).length, 2, 'the keys of the old root are gone');
  t.equal(new Set(changes).size, 3, 'each step is announced');
});

test('a restart at any phase goes on where the rotation was', async t => {
  const directory = t.testdir();
  const open = async () => ManagedCa.open(await optionsFor(directory));
  const versions: string[] = [];
  for (const step of [
    (ca: ManagedCa) => ca.prepareRotation(),
    (ca: ManagedCa) => ca.switchRotation({ force: true }),
    (ca: ManagedCa) => ca.finishRotation({ force: true }),
  ]) {
    const ca = await open();
    await step(ca);
    const resumed = await open();
    t.equal(resumed.phase, ca.phase);
    t.equal(resumed.trust.version, ca.trust.version);
    versions.push(resumed.trust.version);
  }
  t.equal(new Set(versions).size, 3);
});

test('a crash within any step leaves the phase before it and a CA that signs', async t => {
  const directory = t.testdir();
  const files = directoryKeyStore(directory, softwareProvider);
  let failAfter = Number.POSITIVE_INFINITY;
  const crashing: KeyStore = {
    ...files,
    create: async name => {
      const key = await files.create(name);
      if (failAfter-- <= 0) throw new Error('crash');
      return key;
    },
  };
  const ca = await ManagedCa.open(
    await optionsFor(directory, { store: directoryCaStore(directory, crashing) }),
  );
  for (failAfter of [0, 1]) {
    await t.rejects(ca.prepareRotation(), { message: 'crash' });
    t.ok((await keyFiles(directory)).length > 2, 'the crash left keys behind');
    const resumed = await ManagedCa.open(await optionsFor(directory));
    t.equal(resumed.phase, 'stable');
    t.equal((await keyFiles(directory)).length, 2, 'keys without a certificate are removed');
    t.ok(await resumed.issue(ID, await publicKey(), 0));
  }
});

test('the time of the last leaf survives a restart, so finish cannot cut it off', async t => {
  const directory = t.testdir();
  const clock = new FakeClock();
  const ca = await ManagedCa.open(await optionsFor(directory, { clock }));
  await ca.issue(ID, await publicKey(), 30 * DAY_MS);
  await ca.prepareRotation();
  await ca.switchRotation({ unconfirmed: [] });
  clock.advance(29 * DAY_MS);
  const resumed = await ManagedCa.open(await optionsFor(directory, { clock }));
  await t.rejects(resumed.finishRotation(), { message: /may live until/ });
});

test('the intermediate is renewed by its root in good time, and leaves never outlive it', async t => {
  const clock = new FakeClock();
  const ca = await ManagedCa.open(await optionsFor(t.testdir(), { clock }));
  const before = ca.trust;
  clock.advance(300 * DAY_MS);
  const changed = new Promise(resolve => ca.onTrustChange(resolve));
  const key = await publicKey();
  const issued = await ca.issue(ID, key, 90 * DAY_MS);
  t.ok(
    issued.notAfterMs < clock.now() + 66 * DAY_MS,
    'this leaf is still of the old intermediate and ends with it',
  );
  await changed;
  t.not(ca.trust.signerFingerprint, before.signerFingerprint);
  t.equal(ca.trust.bundle.version, before.bundle.version);
  t.equal((await ca.issue(ID, key, 90 * DAY_MS)).notAfterMs, clock.now() + 90 * DAY_MS);
});

test('an intermediate that was made while the clock was wrong is made anew once it is set back', async t => {
  const clock = new FakeClock();
  const ca = await ManagedCa.open(await optionsFor(t.testdir(), { clock }));
  const key = await publicKey();
  const renewed = new Promise<unknown>(resolve => ca.onTrustChange(resolve));
  // It is due, and what is made then is of the future.
  clock.jumpWallClock(300 * DAY_MS);
  await ca.issue(ID, key, 0);
  await renewed;
  clock.jumpWallClock(-200 * DAY_MS);
  clock.advance(60_000);
  const { certChain } = await ca.issue(ID, key, 0);
  verifyAnswer(readCertificateAnswer(certChain), ID, key, clock.now());
});

test('a root that is of the future cannot be helped: nothing is signed that nobody would accept', async t => {
  const clock = new FakeClock();
  const ca = await ManagedCa.open(await optionsFor(t.testdir(), { clock }));
  clock.jumpWallClock(-5 * HOUR_MS);
  await t.rejects(ca.issue(ID, await publicKey(), 0), {
    code: 'UNAVAILABLE',
    message: /root .* is not valid before 2025-12-31T23:00:00.000Z: is the controller's clock right/,
  });
});

test('a state that cannot be written does not stop certificates, and is written when it can be', async t => {
  const directory = t.testdir();
  const told: unknown[] = [];
  const clock = new FakeClock();
  const onUnwritten = (cause: unknown): void => void told.push(cause);
  const ca = await ManagedCa.open(await optionsFor(directory, { clock, onUnwritten }));
  const horizon = async (): Promise<number> => {
    const state = parseCaState(await readFile(join(directory, 'ca-state.json'), 'utf8'), '');
    return state.leavesUntilMs;
  };
  // A directory in the way of the temporary file: works as root too, whom no mode stops.
  const obstacle = stagedPath(join(directory, 'ca-state.json'));
  await mkdir(obstacle);
  t.ok(await ca.issue(ID, await publicKey(), 0));
  t.ok(await ca.issue(ID, await publicKey(), 2 * HOUR_MS));
  t.match(told, [/EISDIR/], 'told once');
  t.equal(await horizon(), 0);
  await rm(obstacle, { recursive: true });
  clock.advance(59_999);
  await ca.issue(ID, await publicKey(), HOUR_MS);
  t.equal(await horizon(), 0);
  clock.advance(1);
  await ca.issue(ID, await publicKey(), HOUR_MS);
  t.ok((await horizon()) >= clock.now() + 23 * HOUR_MS, 'of every leaf that was given');
  t.match(told.slice(1), [undefined]);
});

test('keys that cannot be removed do not stop the start', async t => {
  const directory = t.testdir();
  await ManagedCa.open(await optionsFor(directory));
  await mkdir(join(directory, 'root-00000000-key.pem'));
  const warnings: string[] = [];
  const onWarning = (message: string): void => void warnings.push(message);
  t.ok(await ManagedCa.open(await optionsFor(directory, { onWarning })));
  t.match(warnings, [/could not be removed/]);
});
