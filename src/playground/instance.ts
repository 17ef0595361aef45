import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isJsonObject, parseJson } from '#shared/config/json.ts';
import type { StateLayout } from './state-layout.ts';

/** Who runs the playground of a state directory, and what its namespaces are called. */
export interface Instance {
  readonly pid: number;
  /** Start of the process in clock ticks since boot: tells a process from a later one of the same number. */
  readonly startTicks: string;
  readonly prefix: string;
  readonly mode: PlaygroundMode;
}

export type PlaygroundMode = 'root' | 'user-namespace' | 'loopback';

export function newInstance(mode: PlaygroundMode): Instance {
  const prefix = `am${randomBytes(3).toString('hex')}`;
  return { pid: process.pid, startTicks: startTicks(process.pid) ?? '', prefix, mode };
}

/** Undefined when there is none, or its file is damaged (there is nothing to be learned from it then). */
export function readInstance(layout: StateLayout): Instance | undefined {
  if (!existsSync(layout.instanceFile)) return undefined;
  try {
    const value = parseJson(readFileSync(layout.instanceFile, 'utf8'));
    const { pid, startTicks: ticks, prefix, mode } = isJsonObject(value) ? value : {};
    if (typeof pid !== 'number' || typeof ticks !== 'string' || typeof prefix !== 'string') return undefined;
    if (!/^am[0-9a-f]{6}$/.test(prefix)) return undefined;
    if (mode !== 'root' && mode !== 'user-namespace' && mode !== 'loopback') return undefined;
    return { pid, startTicks: ticks, prefix, mode };
  } catch {
    return undefined;
  }
}

export function writeInstance(layout: StateLayout, instance: Instance): void {
  writeFileSync(layout.instanceFile, JSON.stringify(instance));
}

export function isRunning(instance: Instance): boolean {
  return startTicks(instance.pid) === instance.startTicks;
}

export function removeState(layout: StateLayout): void {
  rmSync(layout.root, { recursive: true, force: true });
}

/** Field 22 of /proc/<pid>/stat; the program's name before it may contain anything but the last parenthesis. */
function startTicks(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' ? undefined : fields[18];
  } catch {
    return undefined;
  }
}
