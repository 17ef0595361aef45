import { setFlagsFromString } from 'node:v8';
import type { Clock } from '../lifecycle/clock.ts';
import { useOneArena } from '../native/allocator.ts';
import { forbidCoreFiles } from '../native/core-files.ts';
import { AllocatorTrim } from './allocator-trim.ts';
import { HelperScheduling } from './helper-scheduling.ts';

/**
 * What a process with traffic threads asks of the runtime, before it starts them. A collection of the young generation takes
 * a third of a millisecond; shared with helper threads it waits for the slowest of them to get a processor.
 * Of the collector's other flags few may change once a heap is there (the runtime aborts). Never throws.
 *
 * @param heapGrowingPercent by how much the old generation may grow beyond what was live before it is collected; undefined: as the
 *   runtime chooses
 */
export function prepareRuntimeForTraffic(clock: Clock, heapGrowingPercent?: number): void {
  forbidCoreFiles();
  useOneArena();
  setFlagsFromString('--no-parallel-scavenge');
  if (heapGrowingPercent !== undefined) setFlagsFromString(`--heap-growing-percent=${heapGrowingPercent}`);
  new HelperScheduling(clock).start();
  new AllocatorTrim({ clock }).start();
}
