import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const STAGED = /\.(\d{1,10})\.tmp$/;

/**
 * Where a file is written before it is renamed into place: a name of this process alone. A ztunnel and its successor
 * share a directory for a while, and neither may rename what the other has half written.
 */
export function stagedPath(path: string): string {
  return `${path}.${process.pid}.tmp`;
}

/** Removes what processes that were killed have left half written, of files whose names begin with `prefix`. */
export function removeAbandoned(
  directory: string,
  prefix = '',
  isRunning: (pid: string) => boolean = isProcess,
): void {
  for (const name of namesIn(directory)) {
    const pid = name.startsWith(prefix) ? STAGED.exec(name)?.[1] : undefined;
    if (pid !== undefined && !isRunning(pid)) removeIfPossible(join(directory, name));
  }
}

/** On a disk that is read-only it stays, and whoever asked goes on. */
export function removeIfPossible(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // Who writes or starts next finds it again.
  }
}

function isProcess(pid: string): boolean {
  return existsSync(`/proc/${pid}`);
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
