import type { Daemon } from './command.ts';
import { largestPeakMb, largestResidentMb, type SampleSet } from './contender.ts';
import { resetPeakResident } from './process-stats.ts';
import type { Goal, Metric } from './result.ts';

/** A process that is idle gives back what starting took; for Envoy nothing changes. */
const SETTLE_MS = 3_000;

interface MemoryGoals {
  readonly idle: Goal;
  readonly underLoad: Goal;
}

/** Names of the figures. @param of which process, where there are several: `, larger side` */
export function memoryMetrics(goals: MemoryGoals, of = ''): readonly Metric[] {
  return [
    { name: `memory idle${of}`, unit: 'MB', goal: goals.idle },
    { name: `peak memory of the start${of}`, unit: 'MB', goal: { kind: 'none' } },
    { name: `peak memory under load${of}`, unit: 'MB', goal: goals.underLoad },
  ];
}

/** Before any load; what starting took at most is told by itself, and the peak is counted from here on. */
export async function measureIdleMemory(daemons: readonly Daemon[], into: SampleSet, of = ''): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, SETTLE_MS));
  into.add(`memory idle${of}`, largestResidentMb(daemons));
  into.add(`peak memory of the start${of}`, largestPeakMb(daemons));
  for (const { pid } of daemons) resetPeakResident(pid);
}

/** After the load. */
export function measurePeakMemory(daemons: readonly Daemon[], into: SampleSet, of = ''): void {
  into.add(`peak memory under load${of}`, largestPeakMb(daemons));
}
