import type { Daemon } from './command.ts';
import type { SampleSet } from './contender.ts';
import { peakResidentMb, residentMb, resetPeakResident } from './process-stats.ts';
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
  into.add(`memory idle${of}`, largest(daemons, residentMb));
  into.add(`peak memory of the start${of}`, largest(daemons, peakResidentMb));
  for (const { pid } of daemons) resetPeakResident(pid);
}

/** After the load. */
export function measurePeakMemory(daemons: readonly Daemon[], into: SampleSet, of = ''): void {
  into.add(`peak memory under load${of}`, largest(daemons, peakResidentMb));
}

function largest(daemons: readonly Daemon[], read: (pid: number) => number): number {
  return Math.max(...daemons.map(d => read(d.pid)));
}
