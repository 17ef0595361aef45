import { readFileSync } from 'node:fs';

/** The runtime raises its soft limit to the hard one as it starts; what Linux gives a process by itself, where nothing is to be read. */
const HARD_DEFAULT = 4_096;

/** How many files this process may have open (RLIMIT_NOFILE). */
export function openFileLimit(): number {
  try {
    return parseOpenFileLimit(readFileSync('/proc/self/limits', 'utf8')) ?? HARD_DEFAULT;
  } catch {
    return HARD_DEFAULT;
  }
}

/** The soft limit of proc_pid_limits(5). */
export function parseOpenFileLimit(limits: string): number | undefined {
  const soft = /^Max open files +(unlimited|\d+)/m.exec(limits)?.[1];
  if (soft === undefined) return undefined;
  return soft === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(soft);
}
