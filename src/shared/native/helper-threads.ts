import { openSync, readdirSync, readFileSync, readSync } from 'node:fs';
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

/** The runtime's helper threads; none where they have other names or there is no /proc. Never throws. */
export function watchHelpers(): readonly HelperWatch[] {
  try {
    return readdirSync('/proc/self/task')
      .filter(isHelper)
      .map(thread => new HelperWatch(Number(thread)));
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

/** Fields of proc_pid_stat(5) behind the name: 3 (state), 14 and 15 (time in user and in system mode, in ticks). */
const STAT = /^\) (\S)(?: \S+){10} (\d+) (\d+)/;
/** sysconf(_SC_CLK_TCK) is 100 on every architecture of Linux that we admit. */
const TICK_MS = 10;
const MAX_STAT_BYTES = 1024;

/** Looks at one thread again and again: opening a file of /proc costs ten times a read of it. */
export class HelperWatch {
  readonly thread: number;
  readonly #fd: number;
  readonly #bytes = Buffer.alloc(MAX_STAT_BYTES);

  /** Throws when there is no such thread, or no /proc. The descriptor stays open as long as the process. */
  constructor(thread: number) {
    this.thread = thread;
    this.#fd = openSync(`/proc/self/task/${thread}/stat`, 'r');
  }

  /** Undefined when the thread has ended. */
  look(): HelperActivity | undefined {
    try {
      const length = readSync(this.#fd, this.#bytes, 0, MAX_STAT_BYTES, 0);
      return parseStat(this.#bytes.toString('latin1', 0, length));
    } catch {
      return undefined;
    }
  }
}

/** @param stat proc_pid_stat(5) */
export function parseStat(stat: string): HelperActivity | undefined {
  // The name may hold anything.
  const [, state, user, system] = STAT.exec(stat.slice(stat.lastIndexOf(') '))) ?? [];
  if (state === undefined) return undefined;
  return { isRunnable: state === 'R', ranMs: (Number(user) + Number(system)) * TICK_MS };
}

function isHelper(thread: string): boolean {
  try {
    return readFileSync(`/proc/self/task/${thread}/comm`, 'latin1').trim() === HELPER_NAME;
  } catch {
    // It has ended since.
    return false;
  }
}
