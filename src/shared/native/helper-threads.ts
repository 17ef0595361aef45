import { readdirSync, readFileSync } from 'node:fs';
import { libc } from './libc.ts';
import { NativeMemory } from './native-memory.ts';

/** As the runtime names the threads that compile and collect for all its isolates; the kernel keeps 15 bytes. */
const HELPER_NAME = 'node-V8Worker';
/** include/uapi/linux/sched.h */
const POLICY = { fair: 0, idle: 5 } as const;
/** struct sched_param: its one member, the priority, must be 0 for these policies. */
const SCHED_PARAM_BYTES = 4;

/**
 * `fair`: as any thread. `idle`: never takes a processor from a thread that has work and gives way to one at once, which
 * is all it gets while there is always one.
 */
export type HelperPolicy = keyof typeof POLICY;

/** What a helper thread was doing when it was looked at. */
export interface HelperActivity {
  /** It had work, whether it had a processor or not. */
  readonly isRunnable: boolean;
  /** Time on a processor since it began, ms. */
  readonly ranMs: number;
}

/** Ids of the runtime's helper threads; none where they have other names or there is no /proc. Never throws. */
export function helperThreads(): readonly number[] {
  try {
    return readdirSync('/proc/self/task').filter(isHelper).map(Number);
  } catch {
    return [];
  }
}

/** Needs no privilege. sched_setscheduler(2). @returns whether the kernel did it */
export function setHelperPolicy(thread: number, policy: HelperPolicy): boolean {
  const parameter = new NativeMemory(SCHED_PARAM_BYTES);
  parameter.bytes.writeInt32LE(0, 0);
  return libc().sched_setscheduler(thread, POLICY[policy], parameter.address) === 0;
}

/** proc_pid_stat(5), Documentation/scheduler/sched-stats.rst. Undefined when the kernel does not tell. */
export function helperActivity(thread: number): HelperActivity | undefined {
  const state = /\) (\S)/.exec(ofThread(thread, 'stat'))?.[1];
  const ranNs = /^\d+/.exec(ofThread(thread, 'schedstat'))?.[0];
  if (state === undefined || ranNs === undefined) return undefined;
  return { isRunnable: state === 'R', ranMs: Number(ranNs) / 1e6 };
}

function isHelper(thread: string): boolean {
  return ofThread(thread, 'comm').trim() === HELPER_NAME;
}

/** Empty when the thread has ended since, or there is no such file. */
function ofThread(thread: number | string, file: 'comm' | 'schedstat' | 'stat'): string {
  try {
    return readFileSync(`/proc/self/task/${thread}/${file}`, 'latin1');
  } catch {
    return '';
  }
}
