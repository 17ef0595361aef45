import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type CryptoProvider,
  exportPrivateKey,
  generateKey,
  importPrivateKey,
  type KeyHandle,
} from '#shared/pki/crypto-provider.ts';
import { replaceFile } from '#shared/state/replace-file.ts';
import { CaError } from './ca-error.ts';

/**
 * Where the CA's keys live, by name (`root-…`, `intermediate-…`, `join-token`). An HSM implements it with labels of
 * objects that cannot be exported; nothing above this interface sees key material.
 */
export interface KeyStore {
  create(name: string): Promise<KeyHandle>;
  /** Rejects with `CaError` when there is no such key. */
  load(name: string): Promise<KeyHandle>;
  list(): Promise<readonly string[]>;
  remove(name: string): Promise<void>;
}

/** The key of this name, made on first use: e.g. `join-token`, the key that join tokens are signed with. */
export async function loadOrCreateKey(keys: KeyStore, name: string): Promise<KeyHandle> {
  return (await keys.list()).includes(name) ? keys.load(name) : keys.create(name);
}

const SUFFIX = '-key.pem';
const NAME = /^[a-z0-9-]{1,64}$/;

/** Keys as PKCS#8 PEM files, mode 0600, in a directory of mode 0700. */
export function directoryKeyStore(directory: string, provider: CryptoProvider): KeyStore {
  const fileOf = (name: string): string => {
    if (!NAME.test(name))
      throw new CaError('FAILED_PRECONDITION', `${JSON.stringify(name)} is no name of a CA key`);
    return join(directory, name + SUFFIX);
  };
  return {
    async create(name) {
      const key = await generateKey(provider, true);
      await replaceFile(fileOf(name), await exportPrivateKey(key));
      return key;
    },
    async load(name) {
      const file = fileOf(name);
      try {
        return await importPrivateKey(provider, await readFile(file, 'utf8'));
      } catch (cause) {
        throw new CaError('FAILED_PRECONDITION', `CA key ${file} cannot be read: restore it from a backup`, {
          cause,
        });
      }
    },
    async list() {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const files = await readdir(directory);
      return files.filter(file => file.endsWith(SUFFIX)).map(file => file.slice(0, -SUFFIX.length));
    },
    async remove(name) {
      await rm(fileOf(name), { force: true });
    },
  };
}
