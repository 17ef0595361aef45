import { execFileSync, spawnSync } from 'node:child_process';

const MARK = 'AMBIENT_TEST_OWN_MOUNTS';
const UNSHARE = '/usr/bin/unshare';

/**
 * To be called first: the test file begins anew in a mount namespace of its own, which goes with it however it ends.
 * @returns why it cannot, for `skip`; false: it is in one
 */
export function ownMounts(): string | false {
  if (process.env[MARK] !== undefined) return false;
  if (process.execve === undefined || spawnSync(UNSHARE, ['-m', 'true']).status !== 0)
    return 'nothing can be mounted here';
  const args = [UNSHARE, '-m', process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  return process.execve(UNSHARE, args, { ...process.env, [MARK]: '1' });
}

/** A disk of one megabyte at a directory, which can be filled, made read-only, and mended. */
export class SmallDisk {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=0700', 'tmpfs', path]);
  }

  fill(): void {
    spawnSync('sh', ['-c', `cat /dev/zero >"$1"`, 'sh', `${this.path}/fill`]);
  }

  makeRoom(): void {
    execFileSync('rm', [`${this.path}/fill`]);
  }

  setReadOnly(isReadOnly: boolean): void {
    execFileSync('mount', ['-o', `remount,${isReadOnly ? 'ro' : 'rw'}`, this.path]);
  }
}
