import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';
import type { Clock } from '../lifecycle/clock.ts';
import { trimAllocator } from '../native/allocator.ts';
import { releaseCodePages } from '../native/code-pages.ts';

/** After the first burst of state and certificates. */
const SETTLE_MS = 2_000;
/** The threads, which start later, have collected too: that needs a lot of code one last time. */
const ALL_COLLECTED_MS = 2_700;

/**
 * One full collection of this thread's heap when it has started. Starting leaves parsed sources and half-empty pages
 * behind, and a thread that is idle from then on would keep them for ever.
 */
export function collectGarbageLater(clock: Clock): void {
  clock.setTimer(SETTLE_MS, collectGarbage);
  if (isMainThread) clock.setTimer(ALL_COLLECTED_MS, releaseCodePages);
}

/** A full collection of this thread's heap; what the process has free in C goes back as well. */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  // The last resort also gives back the pages that the heap would keep for later.
  runInNewContext("gc({ type: 'major', execution: 'sync', flavor: 'last-resort' })");
  trimAllocator();
}
