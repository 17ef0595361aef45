import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CryptoProvider, softwareProvider } from '#shared/pki/crypto-provider.ts';
import { replaceFile } from '#shared/state/replace-file.ts';
import { formatCaState, parseCaState } from './ca-state-text.ts';
import { directoryKeyStore, type KeyStore } from './key-store.ts';
import type { CaState } from './root-rotation.ts';

/** Where a CA we made is kept: its state, and its keys. */
export interface CaStore {
  /** For messages. */
  readonly name: string;
  readonly keys: KeyStore;
  /** `undefined` when there is no CA yet. Rejects with `CaError` when it is damaged. */
  read(): Promise<CaState | undefined>;
  /**
   * The commit point of every change of the CA. Rejects with `CaError` ABORTED, and changes nothing, when another replica
   * was first since the last read; `read` then says what it made of it.
   */
  write(state: CaState): Promise<void>;
}

/** One process owns the directory. */
export function directoryCaStore(
  directory: string,
  keys?: KeyStore,
  provider: CryptoProvider = softwareProvider,
): CaStore {
  const path = join(directory, 'ca-state.json');
  return {
    name: `the CA in ${directory}`,
    keys: keys ?? directoryKeyStore(directory, provider),
    async read() {
      try {
        return parseCaState(await readFile(path, 'utf8'), path);
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
        throw error;
      }
    },
    async write(state) {
      await replaceFile(path, formatCaState(state));
    },
  };
}
