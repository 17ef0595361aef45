import { MAX_FD } from '#shared/engine/fd-ledger.ts';

/** What the process may use. */
export interface ProcessLimits {
  /** RLIMIT_NOFILE */
  readonly openFiles: number;
  readonly memoryBytes: number;
  /** Of all traffic threads. */
  readonly heapBytes: number;
}

/** How many connections a ztunnel carries at the most. Plain data. */
export interface ConnectionBounds {
  /** Of all pods, in all directions. */
  readonly room: number;
  /** What makes it no more. */
  readonly roomIs: string;
  /** Of one pod, in each direction. */
  readonly perPod: number;
  /** No pod has more than is left for all others. Where the bound of a pod was set by hand, that alone holds. */
  readonly sharesFairly: boolean;
}

const MIB = 1024 * 1024;
/** Of descriptors: the rest is for listening sockets of every pod and thread, for DNS, and for who asks the proxy. */
const FOR_CONNECTIONS = 7 / 8;
/**
 * The other side of a connection of the mesh is a tunnel that many share. One that is plaintext on both sides has two: that all of a pod
 * are of that kind is covered by the half that it cannot get.
 */
const FILES_PER_CONNECTION = 1;
/** Measured: an idle one takes 5 KiB of the process and 9 of the kernel. The rest is for what is under way. */
const MEMORY_PER_CONNECTION = 32 * 1024;
/** Measured: 2.6 KiB on the native engine, 4.6 on the other. */
const HEAP_PER_CONNECTION = 8 * 1024;
/** What one pod gets that takes all it can: a server of web sockets has tens of thousands of connections, and is no leak. */
const PART_OF_A_POD = 1 / 2;

/** @param configured MAX_CONNECTIONS_PER_POD; 0: by what there is */
export function connectionBounds(limits: ProcessLimits, configured: number): ConnectionBounds {
  const { memoryBytes, heapBytes } = limits;
  const openFiles = Math.min(limits.openFiles, MAX_FD);
  const narrowest = [
    { room: (openFiles * FOR_CONNECTIONS) / FILES_PER_CONNECTION, roomIs: `RLIMIT_NOFILE ${openFiles}` },
    { room: memoryBytes / MEMORY_PER_CONNECTION, roomIs: `memory of ${inMib(memoryBytes)}` },
    { room: heapBytes / HEAP_PER_CONNECTION, roomIs: `heaps of ${inMib(heapBytes)}` },
  ].reduce((least, one) => (one.room < least.room ? one : least));
  const room = Math.max(1, Math.floor(narrowest.room));
  const derived = Math.ceil(room * PART_OF_A_POD);
  const sharesFairly = configured === 0;
  return { room, roomIs: narrowest.roomIs, perPod: sharesFairly ? derived : configured, sharesFairly };
}

function inMib(bytes: number): string {
  return `${Math.round(bytes / MIB)} MiB`;
}
