import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { createTestEngine } from '#shared/testing/engine.ts';
import { createTestCa } from '#shared/testing/test-ca.ts';
import type { TlsTrust } from './originated-tls.ts';
import { TlsContexts } from './tls-contexts.ts';

const ca = await createTestCa('public');
const ID = 'spiffe://elsewhere/ns/a/sa/b';
const SYSTEM: TlsTrust = {
  mutual: false,
  trustedRoots: { kind: 'system' },
  revocationListFile: undefined,
  clientCertificate: undefined,
  credential: undefined,
};

function contexts(): { clock: FakeClock; made: TlsContexts } {
  const clock = new FakeClock(Date.now());
  return { clock, made: new TlsContexts(createTestEngine({ clock }), clock) };
}

test('what is alike is made once', t => {
  const { made } = contexts();
  t.equal(made.get(SYSTEM), made.get({ ...SYSTEM }));
  t.not(made.get(SYSTEM), made.get({ ...SYSTEM, trustedRoots: { kind: 'pem', pem: ca.rootPem } }));
  t.end();
});

test('files are looked at every ten seconds: what changed is used, what is gone is refused', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'tls-contexts-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const [root, chain, key] = ['ca.crt', 'tls.crt', 'tls.key'].map(name => join(directory, name));
  if (root === undefined || chain === undefined || key === undefined) throw new Error('unreachable');
  writeFileSync(root, ca.rootPem);
  const write = async (): Promise<void> => {
    const { certChainPem, privateKeyPem } = await ca.issue(ID);
    writeFileSync(chain, certChainPem);
    writeFileSync(key, privateKeyPem);
  };
  await write();
  const trust: TlsTrust = {
    mutual: true,
    trustedRoots: { kind: 'file', path: root },
    revocationListFile: undefined,
    clientCertificate: { certificateFile: chain, privateKeyFile: key },
    credential: undefined,
  };
  const { clock, made } = contexts();
  const first = made.get(trust);
  clock.advance(10_000);
  t.equal(made.get(trust), first, 'nothing has changed');
  writeFileSync(root, `${ca.rootPem}\n`);
  await write();
  t.equal(made.get(trust), first, 'it was looked at just now');
  clock.advance(10_000);
  const second = made.get(trust);
  t.not(second, first);
  writeFileSync(key, 'half of a key');
  clock.advance(10_000);
  t.throws(() => made.get(trust), { code: 'tls_handshake', message: /private key does not parse/ });
  rmSync(directory, { recursive: true });
  t.throws(() => made.get(trust), { code: 'tls_handshake', message: /cannot read .*ca\.crt: ENOENT/ });
  t.throws(() => made.get({ ...trust, trustedRoots: { kind: 'file', path: '/' } }), {
    message: /cannot read \//,
  });
});

test('lists of what is revoked are of a Secret and of a file, and a file is looked at again', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'tls-contexts-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'ca.crl');
  writeFileSync(path, await ca.revocationLists([]));
  const { clock, made } = contexts();
  const trust: TlsTrust = {
    ...SYSTEM,
    trustedRoots: { kind: 'pem', pem: ca.rootPem },
    revocationListFile: path,
  };
  const first = made.get(trust);
  t.not(made.get({ ...trust, revocationListFile: undefined }), first);
  writeFileSync(path, `${await ca.revocationLists([await ca.issue(ID)])}\n`);
  clock.advance(10_000);
  t.not(made.get(trust), first);
  writeFileSync(path, 'no list');
  clock.advance(10_000);
  t.throws(() => made.get(trust), { code: 'tls_handshake', message: /no revocation list/ });
  const secret = {
    name: 'shop/api',
    certificateChainPem: '',
    privateKeyPem: '',
    trustedRootsPem: ca.rootPem,
  };
  made.setCredential('shop/api', { ...secret, revocationListsPem: await ca.revocationLists([]) });
  writeFileSync(path, await ca.revocationLists([]));
  t.ok(made.get({ ...trust, trustedRoots: { kind: 'credential', name: 'shop/api' } }), 'both');
});

test('a file that is no certificate store is not read whole', t => {
  const directory = mkdtempSync(join(tmpdir(), 'tls-contexts-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'large');
  writeFileSync(path, Buffer.alloc(1024 * 1024 + 1));
  const trust: TlsTrust = { ...SYSTEM, trustedRoots: { kind: 'file', path } };
  t.throws(() => contexts().made.get(trust), { message: /1048577 bytes are more than 1048576/ });
  t.end();
});

test('a Secret is used as it is now', async t => {
  const { made } = contexts();
  const trust: TlsTrust = { ...SYSTEM, mutual: true, credential: 'shop/api' };
  const { certChainPem: certificateChainPem, privateKeyPem } = await ca.issue(ID);
  const secret = { name: 'shop/api', certificateChainPem, privateKeyPem };
  t.throws(() => made.get(trust), { message: /Secret shop\/api has not come/ });
  made.setCredential('shop/api', { ...secret, trustedRootsPem: ca.rootPem, revocationListsPem: '' });
  const first = made.get(trust);
  t.equal(first.notAfter < Number.POSITIVE_INFINITY, true, 'with its certificate');
  t.equal(made.get({ ...trust, mutual: false }).notAfter, Number.POSITIVE_INFINITY, 'SIMPLE shows none');
  const revocationListsPem = await ca.revocationLists([]);
  made.setCredential('shop/api', {
    name: 'shop/api',
    certificateChainPem: '',
    privateKeyPem: '',
    trustedRootsPem: '',
    revocationListsPem,
  });
  t.throws(() => made.get(trust), {
    message: /Secret shop\/api holds no certificate \(tls\.crt, tls\.key\) to show/,
  });
  t.ok(made.get({ ...trust, mutual: false }));
});
