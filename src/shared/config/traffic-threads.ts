import { availableParallelism } from 'node:os';

/**
 * Half of the cores, at least 1: one thread carries what a core can, the kernel works for it on another, and the applications
 * need the rest (docs/performance.md).
 */
export function defaultTrafficThreads(): number {
  return Math.max(1, Math.floor(availableParallelism() / 2));
}
