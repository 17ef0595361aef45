import { test } from 'tap';
import { createTestCa } from '../testing/test-ca.ts';
import { isRootTrusted, mergeTrustBundles, parseTrustBundle } from './trust-bundle.ts';

const NOW = Date.UTC(2026, 5, 1);

test('the version names the set of roots: neither order nor repetition changes it', async t => {
  const a = await createTestCa('a', NOW);
  const b = await createTestCa('b', NOW);
  const ab = parseTrustBundle(a.rootPem + b.rootPem);
  t.equal(parseTrustBundle(b.rootPem + a.rootPem + b.rootPem).version, ab.version);
  t.not(parseTrustBundle(a.rootPem).version, ab.version);
  t.equal(ab.roots.length, 2);
});

test('during an overlap both roots are trusted', async t => {
  const a = parseTrustBundle((await createTestCa('a', NOW)).rootPem);
  const b = parseTrustBundle((await createTestCa('b', NOW)).rootPem);
  const both = mergeTrustBundles(a, b);
  for (const root of [...a.roots, ...b.roots]) t.ok(isRootTrusted(both, root));
  for (const root of b.roots) t.notOk(isRootTrusted(a, root));
  t.equal(both.pem, a.pem + b.pem);
});

test('an empty bundle, a leaf as a root and text that is no certificate are refused', async t => {
  const ca = await createTestCa('a', NOW);
  const leaf = (await ca.issue('spiffe://td/ns/a/sa/b')).certChainPem;
  t.throws(() => parseTrustBundle(''), { name: 'SpiffeError', message: /no root/ });
  t.throws(() => parseTrustBundle(leaf), { name: 'SpiffeError', message: /not a CA/ });
  t.throws(() => parseTrustBundle(ca.rootPem.replace('MII', 'AAA')), { name: 'PkiError' });
});
