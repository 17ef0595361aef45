import { test } from 'tap';
import { parseSpiffeId } from '../spiffe/spiffe-id.ts';
import { createTestCa } from '../testing/test-ca.ts';
import { readCertificateAnswer, verifyAnswer, verifyChain } from './cert-chain.ts';
import { readCertificates } from './certificate-facts.ts';
import { issueIntermediate, issueLeaf, issueRoot } from './certificate.ts';
import { exportPublicKey, generateKey, softwareProvider } from './crypto-provider.ts';

const NOW = Date.UTC(2026, 5, 1);
const HOUR_MS = 3_600_000;
const ID = parseSpiffeId('spiffe://cluster.local/ns/shop/sa/orders');

async function material() {
  const ca = await createTestCa('first', NOW);
  const other = await createTestCa('second', NOW);
  const key = await generateKey(softwareProvider, false);
  return { ca, other, publicKey: await exportPublicKey(key), issued: await ca.issue(ID) };
}

test('an answer is leaf, intermediates, then every root in the last element', async t => {
  const { ca, other, issued } = await material();
  const [leaf = '', intermediate = ''] = readCertificates(issued.certChainPem).map(c => c.pem);
  const together = readCertificateAnswer([leaf, intermediate, ca.rootPem + other.rootPem]);
  t.equal(together.leaf.pem, leaf);
  t.strictSame(
    together.intermediates.map(c => c.pem),
    [intermediate],
  );
  t.strictSame(
    together.roots.map(c => c.pem),
    [ca.rootPem, other.rootPem],
  );
  const apart = readCertificateAnswer([leaf, intermediate, other.rootPem, ca.rootPem]);
  t.strictSame(
    apart.roots.map(c => c.pem),
    [ca.rootPem, other.rootPem],
  );
});

test('an answer without a root, without anything or of too many elements is refused', async t => {
  const { issued } = await material();
  for (const answer of [[], [issued.certChainPem], Array.from({ length: 40 }, () => '')]) {
    t.throws(() => readCertificateAnswer(answer), { code: 'bad_chain' });
  }
  t.throws(() => readCertificateAnswer(Array.from({ length: 32 }, () => ' '.repeat(10_000))), {
    code: 'bad_chain',
  });
});

test('a chain is verified from leaf to root whatever the order of the intermediates', async t => {
  const { ca, other, issued } = await material();
  const [leaf] = readCertificates(issued.certChainPem);
  if (leaf === undefined) throw new Error('no leaf');
  const intermediates = readCertificates(other.intermediatePem + ca.intermediatePem);
  const roots = readCertificates(other.rootPem + ca.rootPem);
  const path = verifyChain(leaf, intermediates, roots, NOW);
  t.strictSame(
    path.map(c => c.pem),
    [leaf.pem, ca.intermediatePem, ca.rootPem],
  );
  t.throws(() => verifyChain(leaf, intermediates, readCertificates(other.rootPem), NOW), {
    code: 'bad_chain',
  });
  t.throws(() => verifyChain(leaf, [], roots, NOW), { code: 'bad_chain' });
  t.throws(() => verifyChain(leaf, intermediates, roots, NOW + 25 * HOUR_MS), {
    code: 'not_valid_now',
    message: /expired at 2026-06-02/,
  });
  t.throws(() => verifyChain(leaf, intermediates, roots, NOW - 2 * HOUR_MS), { message: /check the clocks/ });
});

test('a leaf may not sign: without the CA flag a certificate is nobody’s issuer', async t => {
  const validity = { notBeforeMs: NOW - HOUR_MS, notAfterMs: NOW + HOUR_MS };
  const key = await generateKey(softwareProvider, false);
  const root = { subject: 'CN=root', key };
  const rootPem = await issueRoot(root, validity);
  const fake = { subject: 'CN=not a ca', key: await generateKey(softwareProvider, false) };
  const leafSpki = await exportPublicKey(fake.key);
  const notCa = await issueLeaf(root, ID, leafSpki, validity);
  const child = await issueLeaf({ subject: '', key: fake.key }, ID, leafSpki, validity);
  const [leaf, issuer, trusted] = readCertificates(child + notCa + rootPem);
  if (leaf === undefined || issuer === undefined || trusted === undefined) throw new Error('missing');
  t.throws(() => verifyChain(leaf, [issuer], [trusted], NOW), { code: 'bad_chain' });
});

test('an answer for another identity or over another key is refused', async t => {
  const validity = { notBeforeMs: NOW - HOUR_MS, notAfterMs: NOW + HOUR_MS };
  const root = { subject: 'CN=root', key: await generateKey(softwareProvider, false) };
  const intermediate = { subject: 'CN=i', key: await generateKey(softwareProvider, false) };
  const mine = await exportPublicKey(await generateKey(softwareProvider, false));
  const foreign = await exportPublicKey(await generateKey(softwareProvider, false));
  const rootPem = await issueRoot(root, validity);
  const intermediatePem = await issueIntermediate(
    root,
    intermediate.subject,
    intermediate.key.publicKey,
    validity,
  );
  const answer = readCertificateAnswer([
    await issueLeaf(intermediate, ID, mine, validity),
    intermediatePem,
    rootPem,
  ]);
  verifyAnswer(answer, ID, mine, NOW);
  t.throws(() => verifyAnswer(answer, `${ID}x`, mine, NOW), { code: 'wrong_identity' });
  t.throws(() => verifyAnswer(answer, ID, foreign, NOW), { code: 'bad_chain', message: /another key/ });
});
