import { closeSync, fstatSync, openSync, statfsSync, writeSync } from 'node:fs';
import { checked, lastErrno, libc } from './libc.ts';
import { CLONE_NEWNET, FilesystemMagic } from './platform.ts';
import { errnoName } from './system-error.ts';

/** An open network namespace. It stays alive while the descriptor is open, even when its path and processes are gone. */
export interface Netns {
  readonly fd: number;
  /** Names the namespace uniquely while it lives: another inode at the same path is another namespace. */
  readonly inode: bigint;
  readonly path: string;
  close(): void;
}

/** Opens `/run/netns/<name>` or `/proc/<pid>/ns/net`. Throws when the path is not a namespace. network_namespaces(7) */
export function openNetns(path: string): Netns {
  const fd = openSync(path, 'r');
  try {
    // A path prepared for a namespace that is not mounted (yet, or any more) is an ordinary file.
    if (statfsSync(`/proc/self/fd/${fd}`).type !== FilesystemMagic.nsfs) {
      throw new Error(`${path} is not a namespace (an ordinary file: is the namespace already gone?)`);
    }
    return {
      fd,
      inode: fstatSync(fd, { bigint: true }).ino,
      path,
      close: closeOnce(fd),
    };
  } catch (cause) {
    closeSync(fd);
    throw cause;
  }
}

function closeOnce(fd: number): () => void {
  let open = true;
  return () => {
    if (open) closeSync(fd);
    open = false;
  };
}

let home: number | undefined;

/** One descriptor of the thread's own namespace, taken before it ever left and kept for the thread's life. */
function homeNetns(): number {
  home ??= openSync('/proc/thread-self/ns/net', 'r');
  return home;
}

let inside = false;

/**
 * Runs `fn` with the calling thread inside a network namespace and returns its result. setns(2)
 *
 * `fn` must be synchronous: until it returns nothing else runs on this thread, so no other code ever sees the foreign
 * namespace. Descriptors and child processes it makes stay in the namespace. A thread that could not come back would
 * send the node's own traffic out of a pod, so failing to come back aborts the process.
 */
export function runInNetns<T>(netnsFd: number, fn: () => Synchronous<T>): T {
  if (inside) throw new Error('runInNetns must not be nested');
  const back = homeNetns();
  checked(libc().setns(netnsFd, CLONE_NEWNET), 'setns', 'enter the network namespace of a pod');
  inside = true;
  try {
    return fn();
  } finally {
    if (libc().setns(back, CLONE_NEWNET) < 0) abortProcess(errnoName(lastErrno())[0]);
    inside = false;
  }
}

/** A promise would go on after the thread has left the namespace: refused by the compiler. */
type Synchronous<T> = T extends PromiseLike<unknown> ? never : T;

function abortProcess(code: string): never {
  writeSync(2, `fatal: setns back to the node's network namespace failed (${code}); aborting\n`);
  process.abort();
}
