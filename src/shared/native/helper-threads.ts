import { readdirSync, readFileSync } from 'node:fs';
import { libc } from './libc.ts';
import { NativeMemory } from './native-memory.ts';

/** As the runtime names the threads that compile and collect for all its isolates; the kernel keeps 15 bytes. */
const HELPER_NAME = 'node-V8Worker';
/** include/uapi/linux/sched.h: such a thread never takes a processor from one that has work, and gives way at once. */
const SCHED_IDLE = 5;
/** struct sched_param: its one member, the priority, must be 0 for this policy. */
const SCHED_PARAM_BYTES = 4;

/**
 * The runtime's helper threads get only what the threads with traffic leave over. Otherwise a compiler that is woken on the
 * processor of a traffic thread runs first, for a millisecond or more, while another processor is idle: it had slept and
 * the scheduler owes it time. No privilege is needed. sched_setscheduler(2)
 * @returns how many threads; 0 where threads have other names or there is no /proc
 */
export function giveHelpersTheRest(): number {
  const parameter = new NativeMemory(SCHED_PARAM_BYTES);
  parameter.bytes.writeInt32LE(0, 0);
  let count = 0;
  for (const thread of helperThreads())
    if (libc().sched_setscheduler(thread, SCHED_IDLE, parameter.address) === 0) count++;
  return count;
}

function helperThreads(): number[] {
  try {
    return readdirSync('/proc/self/task').filter(isHelper).map(Number);
  } catch {
    return [];
  }
}

function isHelper(thread: string): boolean {
  try {
    return readFileSync(`/proc/self/task/${thread}/comm`, 'latin1').trim() === HELPER_NAME;
  } catch {
    // It has ended since.
    return false;
  }
}
