import { generateKey, type KeyHandle, softwareProvider } from '#shared/pki/crypto-provider.ts';
import type { CaStore } from '../ca/ca-store.ts';
import type { CaState } from '../ca/root-rotation.ts';

/** For tests of what a CA does: nothing is written anywhere. */
export function memoryCaStore(): CaStore {
  const keys = new Map<string, KeyHandle>();
  let state: CaState | undefined;
  return {
    name: 'a CA in memory',
    keys: {
      async create(name) {
        const key = await generateKey(softwareProvider, false);
        keys.set(name, key);
        return key;
      },
      load(name) {
        const key = keys.get(name);
        return key === undefined ? Promise.reject(new Error(`no key ${name}`)) : Promise.resolve(key);
      },
      list: () => Promise.resolve([...keys.keys()]),
      remove: name => Promise.resolve(void keys.delete(name)),
    },
    read: () => Promise.resolve(state),
    write(written) {
      state = written;
      return Promise.resolve();
    },
  };
}
