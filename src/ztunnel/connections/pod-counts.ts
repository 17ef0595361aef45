import { countMemory, SharedCount } from './shared-count.ts';

/** Of a pod: what its applications open, what comes in to them, and the connections of other proxies that this comes in by. */
export const DIRECTIONS = ['outbound', 'inbound', 'hbone'] as const;
export type Direction = (typeof DIRECTIONS)[number];

/** For the counts of one pod. */
export function podCountMemory(threads: number): SharedArrayBuffer {
  return countMemory(threads, DIRECTIONS.length + 1);
}

/** How many connections of each kind one pod has, over all threads. */
export class PodCounts {
  readonly outbound: SharedCount;
  readonly inbound: SharedCount;
  readonly hbone: SharedCount;
  /** HBONE connections to other proxies. */
  readonly sessions: SharedCount;

  constructor(memory: SharedArrayBuffer, threads: number) {
    const count = (which: number): SharedCount => new SharedCount(memory, threads, which);
    this.outbound = count(0);
    this.inbound = count(1);
    this.hbone = count(2);
    this.sessions = count(3);
  }

  /** A thread has ended. */
  forget(thread: number): void {
    for (const count of [this.outbound, this.inbound, this.hbone, this.sessions]) count.forget(thread);
  }
}
