import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { removeIfPossible, stagedPath } from './staged-file.ts';

/**
 * Replaces a file, which only its owner may read, so that a crash leaves the old or the new content, never a part: the data is on the
 * disk before the rename, and the rename before this resolves.
 */
export async function replaceFile(path: string, content: Buffer | string): Promise<void> {
  const directory = dirname(path);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const staged = stagedPath(path);
  try {
    // A file left by a crash may have another mode; `wx` makes sure that ours applies.
    await rm(staged, { force: true });
    const file = await open(staged, 'wx', 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(staged, path);
  } catch (error) {
    // On a disk that is full a part of it would be in the way of everybody else.
    await rm(staged, { force: true }).catch(() => undefined);
    throw error;
  }
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * As `replaceFile`, within this turn, and not flushed to the device: what is to survive is a process that is killed, not the machine.
 * Throws what the disk says.
 */
export function replaceFileNow(path: string, content: string, mode: number): void {
  mkdirSync(dirname(path), { recursive: true });
  const staged = stagedPath(path);
  try {
    writeFileSync(staged, content, { mode });
    renameSync(staged, path);
  } catch (error) {
    removeIfPossible(staged);
    throw error;
  }
}
