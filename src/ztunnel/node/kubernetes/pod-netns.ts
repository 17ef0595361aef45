import { statSync } from 'node:fs';

/** The network namespace of a pod. */
export interface PodNetns {
  readonly path: string;
  /** Another inode at the same path is another namespace. */
  readonly inode: bigint;
  /** Canonical; known when the CNI plugin told. */
  readonly ips: readonly string[];
}

/** Undefined when nothing is there. */
export function netnsInode(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}

/** Whether the path still leads to that namespace. */
export function isAlive({ path, inode }: PodNetns): boolean {
  return netnsInode(path) === inode;
}
