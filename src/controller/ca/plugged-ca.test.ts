import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { readCertificateAnswer, verifyAnswer, verifyChain } from '#shared/pki/cert-chain.ts';
import { readCertificates } from '#shared/pki/certificate-facts.ts';
import { exportPublicKey, generateKey, softwareProvider } from '#shared/pki/crypto-provider.ts';
import { parseSpiffeId } from '#shared/spiffe/spiffe-id.ts';
import { parseTrustDomain } from '#shared/spiffe/trust-domain.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { createOperatorCa, type OperatorCa, OperatorRoot } from '../testing/operator-ca.ts';
import { caFilesOf, directoryCaFiles } from './ca-files.ts';
import { DEFAULT_LEAF_POLICY } from './leaf-policy.ts';
import { PluggedCa } from './plugged-ca.ts';

const ID = parseSpiffeId('spiffe://cluster.local/ns/shop/sa/orders');
const clock = new FakeClock();
const cacerts = (name: string): Promise<OperatorCa> => createOperatorCa(name, clock.now());

async function write(
  directory: string,
  files: { caCert: string; caKey: string; rootCert: string; above?: string },
) {
  await writeFile(join(directory, 'ca-cert.pem'), files.caCert);
  await writeFile(join(directory, 'ca-key.pem'), files.caKey);
  await writeFile(join(directory, 'root-cert.pem'), files.rootCert);
  await writeFile(join(directory, 'cert-chain.pem'), files.caCert + (files.above ?? ''));
}

function open(directory: string, by = clock): Promise<PluggedCa> {
  const trustDomain = parseTrustDomain('cluster.local');
  return PluggedCa.open({
    clock: by,
    trustDomain,
    files: directoryCaFiles(directory),
    provider: softwareProvider,
    leafPolicy: DEFAULT_LEAF_POLICY,
  });
}

test('a CA in the cacerts layout signs leaves that chain to the given root', async t => {
  const directory = t.testdir();
  await write(directory, await cacerts('a'));
  const key = await exportPublicKey(await generateKey(softwareProvider, false));
  const { certChain } = await (await open(directory)).issue(ID, key, 0);
  verifyAnswer(readCertificateAnswer(certChain), ID, key, clock.now());
});

test('files that do not belong together are refused with the reason', async t => {
  const directory = t.testdir();
  const [a, b] = [await cacerts('a'), await cacerts('b')];
  const wrong: readonly (readonly [files: Parameters<typeof write>[1], message: RegExp])[] = [
    [{ ...a, caKey: b.caKey }, /private key is not the key of certificate/],
    [{ ...a, rootCert: b.rootCert }, /no CA certificate at hand signed/],
    [{ ...a, caKey: 'x' }, /not a PEM private key/],
    [{ ...a, caCert: '' }, /no PEM block/],
    [{ ...a, rootCert: '' }, /no CA certificate at hand signed/],
  ];
  for (const [files, message] of wrong) {
    await write(directory, files);
    await t.rejects(open(directory), { name: 'CaError', code: 'FAILED_PRECONDITION', message });
  }
  await t.rejects(open(join(directory, 'none')), { message: /ca-cert.pem/ });
});

const HOURS: readonly (readonly [
  sentence: string,
  ca: number,
  above: number | undefined,
  root: number,
  life: number,
])[] = [
  ['the default life, where the CA lives longer', 48, undefined, 48, 24],
  ['no longer than the certificate that signs', 10, undefined, 48, 10],
  ['no longer than an intermediate above it', 48, 9, 48, 9],
  ['no longer than the root', 48, 40, 8, 8],
];

for (const [sentence, caHours, aboveHours, rootHours, lifeHours] of HOURS) {
  test(`a leaf lives ${sentence}`, async t => {
    const directory = t.testdir();
    const at = (hours: number): number => clock.now() + hours * 3_600_000;
    await write(
      directory,
      await createOperatorCa('a', clock.now(), {
        caUntilMs: at(caHours),
        rootUntilMs: at(rootHours),
        ...(aboveHours === undefined ? {} : { aboveUntilMs: at(aboveHours) }),
      }),
    );
    const key = await exportPublicKey(await generateKey(softwareProvider, false));
    const issued = await (await open(directory)).issue(ID, key, 0);
    t.equal(issued.notAfterMs, at(lifeHours));
    const answer = readCertificateAnswer(issued.certChain);
    t.equal(answer.leaf.notAfterMs, at(lifeHours));
    verifyAnswer(answer, ID, key, at(lifeHours));
  });
}

test('an intermediate that has ended signs nothing and says where it is; one that takes its place does, without a restart', async t => {
  const by = new FakeClock();
  const root = await OperatorRoot.create('a', by.now());
  let files: OperatorCa = await root.issueCa(by.now(), { caUntilMs: by.now() + 48 * 3_600_000 });
  const ca = await PluggedCa.open({
    clock: by,
    trustDomain: parseTrustDomain('cluster.local'),
    files: {
      name: 'Secret istio-system/cacerts',
      read: () => Promise.resolve({ ...files, certChain: files.caCert }),
    },
    provider: softwareProvider,
    leafPolicy: DEFAULT_LEAF_POLICY,
  });
  const key = await exportPublicKey(await generateKey(softwareProvider, false));
  const last = await ca.issue(ID, key, 0);
  by.advance(48 * 3_600_000 - 59_000);
  const refusal = {
    code: 'UNAVAILABLE',
    message:
      /orders: intermediate CN=a ca of Secret istio-system\/cacerts ends at 2026-01-03T00:00:00.000Z: put a CA certificate there that is valid for longer .*without a restart/,
  };
  await t.rejects(ca.issue(ID, key, 0), refusal, 'a minute before: such a leaf would be of no use');
  by.advance(3_600_000);
  await t.rejects(ca.issue(ID, key, 0), refusal);
  await ca.reload();
  files = await root.issueCa(by.now(), { caUntilMs: by.now() - 1_000 });
  const refused = {
    code: 'UNAVAILABLE',
    message: /cacerts: certificate .* is expired at .*\(now .*: put a CA/,
  };
  await t.rejects(ca.reload(), refused, 'nor is one taken over that has ended as well');
  const told: string[] = [];
  ca.onTrustChange(({ version }) => void told.push(version));
  files = await root.issueCa(by.now());
  await ca.reload();
  t.equal(told.length, 1, 'proxies are told, and ask at once');
  verifyAnswer(readCertificateAnswer((await ca.issue(ID, key, 0)).certChain), ID, key, by.now());
  t.ok(last.notAfterMs < by.now(), 'nothing of the old one is alive');
});

test('a start with an intermediate that has ended may be tried again, one with files that do not belong together not', async t => {
  const directory = t.testdir();
  const ended = { validFromMs: clock.now() - 86_400_000, caUntilMs: clock.now() - 1_000 };
  await write(directory, await createOperatorCa('a', clock.now(), ended));
  await t.rejects(open(directory), { code: 'UNAVAILABLE', message: /expired at/ });
});

test('a reload with bad files keeps the CA', async t => {
  const directory = t.testdir();
  const [a, b] = [await cacerts('a'), await cacerts('b')];
  await write(directory, a);
  const ca = await open(directory);
  const key = await exportPublicKey(await generateKey(softwareProvider, false));
  await write(directory, { ...a, caKey: b.caKey });
  await t.rejects(ca.reload(), { message: /private key/ });
  verifyAnswer(readCertificateAnswer((await ca.issue(ID, key, 0)).certChain), ID, key, clock.now());
});

test('a root replaced at once is trusted before it signs, the old one until its leaves have ended', async t => {
  const directory = t.testdir();
  const [a, b] = [await cacerts('a'), await cacerts('b')];
  await write(directory, a);
  const ca = await open(directory);
  const versions: string[] = [];
  ca.onTrustChange(trust => void versions.push(trust.version));
  const key = await exportPublicKey(await generateKey(softwareProvider, false));
  const trusted = (): readonly string[] => ca.trust.bundle.roots.map(root => root.pem);
  const [rootA, rootB] = [a, b].map(({ rootCert }) => readCertificates(rootCert)[0]?.pem);
  const oldLeaf = readCertificateAnswer((await ca.issue(ID, key, 0)).certChain).leaf;
  const signerA = ca.trust.signerFingerprint;

  await write(directory, b);
  await ca.reload();
  t.strictSame(trusted(), [rootA, rootB], 'both are trusted, the old one signs');
  t.equal(ca.trust.signerFingerprint, signerA);
  clock.advance(30_000);
  await ca.reload();
  t.equal(versions.length, 1);

  clock.advance(31_000);
  await ca.reload();
  t.strictSame(trusted(), [rootB, rootA], 'the new one signs');
  t.not(ca.trust.signerFingerprint, signerA);
  verifyAnswer(readCertificateAnswer((await ca.issue(ID, key, 0)).certChain), ID, key, clock.now());
  verifyChain(oldLeaf, readCertificates(a.caCert), ca.trust.bundle.roots, clock.now());

  clock.advance(24 * 3_600_000);
  await ca.reload();
  t.strictSame(trusted(), [rootB], 'no leaf of the old one is alive');
  t.equal(versions.length, 3);
});

for (const [what, hours] of [
  ['back', -5],
  ['forward', 5],
] as const) {
  test(`a clock that is set ${what} by hours while a new root waits does not hold it up`, async t => {
    const directory = t.testdir();
    const clock = new FakeClock();
    const validity = { validFromMs: clock.now() - 30 * 86_400_000 };
    const [a, b] = [
      await createOperatorCa('a', clock.now(), validity),
      await createOperatorCa('b', clock.now(), validity),
    ];
    await write(directory, a);
    const ca = await open(directory, clock);
    await ca.issue(ID, await exportPublicKey(await generateKey(softwareProvider, false)), 0);
    const signer = ca.trust.signerFingerprint;
    await write(directory, b);
    await ca.reload();
    clock.jumpWallClock(hours * 3_600_000);
    clock.advance(61_000);
    await ca.reload();
    t.not(ca.trust.signerFingerprint, signer, 'it signs a minute later');
    t.equal(ca.trust.bundle.roots.length, 2);
  });
}

test('the operator’s own steps: both roots, then the new CA', async t => {
  const directory = t.testdir();
  const [a, b] = [await cacerts('a'), await cacerts('b')];
  await write(directory, a);
  const ca = await open(directory);
  const key = await exportPublicKey(await generateKey(softwareProvider, false));
  await ca.issue(ID, key, 0);
  await write(directory, { ...a, rootCert: a.rootCert + b.rootCert });
  await ca.reload();
  t.equal(ca.trust.bundle.roots.length, 2);
  clock.advance(60_000);
  await write(directory, { ...b, rootCert: a.rootCert + b.rootCert });
  await ca.reload();
  verifyChain(
    readCertificateAnswer((await ca.issue(ID, key, 0)).certChain).leaf,
    readCertificates(b.caCert),
    readCertificates(b.rootCert),
    clock.now(),
  );
});

test('a Secret as Istio users know it, or as cert-manager writes it', t => {
  const [one, two] = ['-----BEGIN CERTIFICATE-----\nMQ==\n-----END CERTIFICATE-----\n', 'rest'];
  const files = (data: Record<string, string>) =>
    caFilesOf({ resourceVersion: '1', data: new Map(Object.entries(data)) });
  t.same(files({ 'tls.crt': one + two, 'tls.key': 'key', 'ca.crt': 'root' }), {
    caCert: one,
    caKey: 'key',
    certChain: one + two,
    rootCert: 'root',
  });
  const cacerts = { 'ca-cert.pem': one, 'ca-key.pem': 'key', 'root-cert.pem': 'root', 'cert-chain.pem': two };
  t.same(files(cacerts), { caCert: one, caKey: 'key', certChain: two, rootCert: 'root' });
  t.throws(() => files({ 'tls.crt': one, 'tls.key': 'key' }), /ca.crt is missing/);
  t.throws(() => files({ 'ca-cert.pem': one }), /ca-key.pem is missing/);
  t.end();
});
