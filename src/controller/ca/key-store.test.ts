import { chmod, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { exportPublicKey, softwareProvider } from '#shared/pki/crypto-provider.ts';
import { directoryKeyStore, loadOrCreateKey } from './key-store.ts';

test('a key is made on first use and is the same one later, in a directory for its owner only', async t => {
  const directory = join(t.testdir(), 'keys');
  const first = await loadOrCreateKey(directoryKeyStore(directory, softwareProvider), 'join-token');
  const again = await loadOrCreateKey(directoryKeyStore(directory, softwareProvider), 'join-token');
  t.ok((await exportPublicKey(first)).equals(await exportPublicKey(again)));
  t.equal((await stat(directory)).mode & 0o777, 0o700);
  t.equal((await stat(join(directory, 'join-token-key.pem'))).mode & 0o777, 0o600);
});

test('a file left by a crash does not lend its mode to a key', async t => {
  const directory = t.testdir();
  const left = join(directory, 'root-a-key.pem.tmp');
  await writeFile(left, 'half');
  await chmod(left, 0o666);
  const keys = directoryKeyStore(directory, softwareProvider);
  await keys.create('root-a');
  t.equal((await stat(join(directory, 'root-a-key.pem'))).mode & 0o777, 0o600);
  t.strictSame(await keys.list(), ['root-a']);
  await keys.remove('root-a');
  t.strictSame(await keys.list(), []);
});

test('a name that would leave the directory is refused', async t => {
  const keys = directoryKeyStore(t.testdir(), softwareProvider);
  for (const name of ['../x', '', 'A', 'a/b'])
    await t.rejects(keys.create(name), { message: /no name of a CA key/ });
});
