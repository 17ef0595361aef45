import type { Daemon } from './command.ts';
import { cpuSeconds, peakResidentMb, residentMb } from './process-stats.ts';

/** One of the two that are compared, started afresh for every round. */
export interface Contender {
  readonly name: 'ours' | 'peer';
  /** Where clients reach it, where contenders run beside each other. */
  readonly ip?: string;
  start(): Promise<readonly Daemon[]>;
  /** Undoes what `start` did besides starting processes. They have ended already. */
  stop?(): Promise<void>;
}

/** Collects samples by metric name over the rounds. */
export class SampleSet {
  readonly samples = new Map<string, number[]>();

  add(metric: string, value: number): void {
    const known = this.samples.get(metric);
    if (known === undefined) this.samples.set(metric, [value]);
    else known.push(value);
  }
}

/** Waits until the contender serves; if it does not, none of its processes is left behind. */
export async function whenReady(
  daemons: readonly Daemon[],
  ready: () => Promise<void>,
): Promise<readonly Daemon[]> {
  try {
    await ready();
    return daemons;
  } catch (error) {
    await Promise.all(daemons.map(d => d.stop()));
    throw error;
  }
}

/** CPU seconds that the processes use while `measure` runs. */
export async function withCpu<T>(
  daemons: readonly Daemon[],
  measure: () => Promise<T>,
): Promise<[T, number]> {
  const before = totalCpu(daemons);
  const result = await measure();
  return [result, totalCpu(daemons) - before];
}

/** Of the larger process. */
export function largestResidentMb(daemons: readonly Daemon[]): number {
  return Math.max(...daemons.map(d => residentMb(d.pid)));
}

export function largestPeakMb(daemons: readonly Daemon[]): number {
  return Math.max(...daemons.map(d => peakResidentMb(d.pid)));
}

function totalCpu(daemons: readonly Daemon[]): number {
  return daemons.reduce((sum, d) => sum + cpuSeconds(d.pid), 0);
}
