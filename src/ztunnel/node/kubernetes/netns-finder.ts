import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { podUidOfCgroup } from './cgroup-pod-uid.ts';
import type { PodNetns } from './pod-netns.ts';

export interface NetnsFinderOptions {
  /** `/proc` that shows the node's processes: the pod has `hostPID`. */
  readonly procDir: string;
  /** Where the container runtime keeps names of network namespaces. */
  readonly netnsDir: string;
}

/** Finds the network namespaces of pods, by runtime uid; those it does not find are left out. */
export type FindNetns = (runtimeUids: ReadonlySet<string>) => Promise<Map<string, PodNetns>>;

interface PodProcess {
  readonly pid: string;
  /** Clock ticks since the node started. */
  readonly startedAt: number;
}

/** Processes looked at together. */
const CONCURRENCY = 32;

/**
 * Looks through the node's processes for those of the pods. The sandbox is a pod's first process, and lives as long as the
 * pod; a container may make network namespaces of its own. Where the runtime has given the namespace a name, that is the
 * path: it does not end with a process.
 */
export function createNetnsFinder(options: NetnsFinderOptions): FindNetns {
  return async uids => {
    const found = new Map<string, PodNetns>();
    if (uids.size === 0) return found;
    const named = await namedNamespaces(options.netnsDir);
    const host = await inodeOf(join(options.procDir, '1/ns/net'));
    for (const [uid, { pid }] of await firstProcesses(options.procDir, uids)) {
      const path = join(options.procDir, pid, 'ns/net');
      const inode = await inodeOf(path);
      // The processes of a pod on the host network are in the node's namespace, which is never a pod's.
      if (inode === undefined || inode === host) continue;
      found.set(uid, { path: named.get(inode) ?? path, inode, ips: [] });
    }
    return found;
  };
}

async function firstProcesses(procDir: string, uids: ReadonlySet<string>): Promise<Map<string, PodProcess>> {
  const first = new Map<string, PodProcess>();
  const pids = (await readdir(procDir)).filter(name => /^\d+$/.test(name));
  for (let i = 0; i < pids.length; i += CONCURRENCY) {
    await Promise.all(
      pids.slice(i, i + CONCURRENCY).map(async pid => {
        const uid = podUidOfCgroup(await textOf(join(procDir, pid, 'cgroup')));
        if (uid === undefined || !uids.has(uid)) return;
        const startedAt = startTime(await textOf(join(procDir, pid, 'stat')));
        const known = first.get(uid);
        if (startedAt === undefined || (known !== undefined && !isBefore({ pid, startedAt }, known))) return;
        first.set(uid, { pid, startedAt });
      }),
    );
  }
  return first;
}

function isBefore(a: PodProcess, b: PodProcess): boolean {
  return a.startedAt < b.startedAt || (a.startedAt === b.startedAt && Number(a.pid) < Number(b.pid));
}

/** Field 22 of proc_pid_stat(5); the name of the program, which may hold anything, ends at the last parenthesis. */
function startTime(text: string): number | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[19]);
  return Number.isSafeInteger(ticks) && fields.length > 19 ? ticks : undefined;
}

/** By inode. */
async function namedNamespaces(directory: string): Promise<Map<bigint, string>> {
  const named = new Map<bigint, string>();
  const names = await readdir(directory).catch(() => []);
  for (const name of names) {
    const path = join(directory, name);
    const inode = await inodeOf(path);
    if (inode !== undefined) named.set(inode, path);
  }
  return named;
}

/** Undefined when it is gone, or not for us to see. */
async function inodeOf(path: string): Promise<bigint | undefined> {
  try {
    return (await stat(path, { bigint: true })).ino;
  } catch {
    return undefined;
  }
}

/** A process may end while it is looked at. */
async function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
