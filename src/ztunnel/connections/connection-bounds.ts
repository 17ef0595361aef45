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
}

const MIB = 1024 * 1024;
/** Of descriptors: the rest is for listening sockets of every pod and thread, for DNS, and for who asks the proxy. */
const FOR_CONNECTIONS = 7 / 8;
/** The one that came in, and the one to where it goes. */
const FILES_PER_CONNECTION = 2;
/** Measured: an idle one takes 5 KiB of the process and 9 of the kernel. The rest is for what is under way. */
const MEMORY_PER_CONNECTION = 32 * 1024;
/** Measured: 2.6 KiB on the native engine, 4.6 on the other. */
const HEAP_PER_CONNECTION = 8 * 1024;
/**
 * A pod's part of the room, and what it may have where that is less: more than a database, an ingress or a proxy that is
 * configured as it comes has open (1,024 is Envoy's circuit breaker, nginx's `worker_connections` is 512 or 1,024).
 */
const PART_OF_A_POD = 1 / 8;
const ENOUGH_FOR_A_POD = 4_096;

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
  const derived = Math.max(Math.floor(room * PART_OF_A_POD), ENOUGH_FOR_A_POD);
  return { room, roomIs: narrowest.roomIs, perPod: configured === 0 ? derived : configured };
}

function inMib(bytes: number): string {
  return `${Math.round(bytes / MIB)} MiB`;
}
