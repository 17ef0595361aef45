import { runInNetns } from '#shared/native/netns.ts';
import { readIfThere } from '#shared/state/read-if-there.ts';

/** Connection tracking of one network namespace. */
export interface ConnectionTable {
  readonly entries: number;
  readonly most: number;
  /** Packets dropped since the namespace was made because there was no room for their connection. */
  readonly drops: number;
}

const SYSCTL = '/proc/sys/net/netfilter/nf_conntrack';
/** Of the calling thread's namespace, unlike `/proc/self`. */
const STATISTICS = '/proc/thread-self/net/stat/nf_conntrack';

/**
 * Of the namespace of a descriptor, or of the thread's own. Undefined where the kernel does not tell (no connection tracking).
 * Throws when the namespace cannot be entered.
 */
export function readConnectionTable(netnsFd: number | undefined): ConnectionTable | undefined {
  return netnsFd === undefined ? readHere() : runInNetns(netnsFd, readHere);
}

function readHere(): ConnectionTable | undefined {
  const entries = numberIn(`${SYSCTL}_count`);
  const most = numberIn(`${SYSCTL}_max`);
  if (entries === undefined || most === undefined || most === 0) return undefined;
  return { entries, most, drops: dropsOf(readIfThere(STATISTICS) ?? '') };
}

/** A line of hexadecimal numbers for each processor, below a line with their names. Pure. */
export function dropsOf(statistics: string): number {
  const [head = '', ...lines] = statistics.split('\n');
  const column = head.trim().split(/\s+/).indexOf('drop');
  if (column < 0) return 0;
  let sum = 0;
  for (const line of lines) sum += Number.parseInt(line.trim().split(/\s+/)[column] ?? '', 16) || 0;
  return sum;
}

function numberIn(path: string): number | undefined {
  const value = Number(readIfThere(path)?.trim() || Number.NaN);
  return Number.isFinite(value) ? value : undefined;
}
