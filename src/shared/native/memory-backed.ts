import { statfsSync } from 'node:fs';
import { FilesystemMagic } from './platform.ts';

/**
 * Whether what is written under `path` stays in memory (tmpfs, ramfs): private keys may be kept nowhere else. A tmpfs
 * page may still be swapped out, as any page of the process may. statfs(2)
 * Throws when the path does not exist.
 */
export function isMemoryBacked(path: string): boolean {
  const type = statfsSync(path).type;
  return type === FilesystemMagic.tmpfs || type === FilesystemMagic.ramfs;
}
