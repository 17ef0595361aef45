import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { readCertificateAnswer, verifyAnswer } from '#shared/pki/cert-chain.ts';
import { issueIntermediate, issueRoot } from '#shared/pki/certificate.ts';
import {
  exportPrivateKey,
  exportPublicKey,
  generateKey,
  softwareProvider,
} from '#shared/pki/crypto-provider.ts';
import { parseSpiffeId } from '#shared/spiffe/spiffe-id.ts';
import { parseTrustDomain } from '#shared/spiffe/trust-domain.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { DEFAULT_LEAF_POLICY } from './leaf-policy.ts';
import { PluggedCa } from './plugged-ca.ts';

const ID = parseSpiffeId('spiffe://cluster.local/ns/shop/sa/orders');
const clock = new FakeClock();
const validity = { notBeforeMs: clock.now() - 3_600_000, notAfterMs: clock.now() + 365 * 86_400_000 };

async function cacerts(name: string) {
  const root = { subject: `CN=${name} root`, key: await generateKey(softwareProvider, true) };
  const key = await generateKey(softwareProvider, true);
  const caCert = await issueIntermediate(root, `CN=${name} ca`, key.publicKey, validity);
  return { rootCert: await issueRoot(root, validity), caCert, caKey: await exportPrivateKey(key) };
}

async function write(
  directory: string,
  files: { caCert: string; caKey: string; rootCert: string; chain?: string },
) {
  await writeFile(join(directory, 'ca-cert.pem'), files.caCert);
  await writeFile(join(directory, 'ca-key.pem'), files.caKey);
  await writeFile(join(directory, 'root-cert.pem'), files.rootCert);
  await writeFile(join(directory, 'cert-chain.pem'), files.chain ?? files.caCert);
}

function open(directory: string): Promise<PluggedCa> {
  const trustDomain = parseTrustDomain('cluster.local');
  return PluggedCa.open({
    clock,
    trustDomain,
    directory,
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

test('a reload with bad files keeps the CA, one with another root announces it, an early removal is refused', async t => {
  const directory = t.testdir();
  const [a, b] = [await cacerts('a'), await cacerts('b')];
  await write(directory, a);
  const ca = await open(directory);
  const versions: string[] = [];
  ca.onTrustChange(trust => void versions.push(trust.bundle.version));
  const key = await exportPublicKey(await generateKey(softwareProvider, false));
  await ca.issue(ID, key, 0);

  await write(directory, { ...a, caKey: b.caKey });
  await t.rejects(ca.reload(), { message: /private key/ });
  await write(directory, b);
  await t.rejects(ca.reload(), { message: /no longer holds root .* whose leaves live until 2026-01-02/ });
  verifyAnswer(readCertificateAnswer((await ca.issue(ID, key, 0)).certChain), ID, key, clock.now());
  t.strictSame(versions, []);

  await write(directory, { ...b, rootCert: a.rootCert + b.rootCert });
  await ca.reload();
  t.equal(ca.trust.bundle.roots.length, 2);
  t.equal(versions.length, 1);
  await write(directory, b);
  await t.rejects(ca.reload(), { message: /no longer holds/ });
  await ca.reload(true);
  t.equal(ca.trust.bundle.roots.length, 1);
});
