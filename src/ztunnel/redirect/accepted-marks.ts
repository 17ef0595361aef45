import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readIfThere } from '#shared/state/read-if-there.ts';

/**
 * Settings of a network namespace by which a socket that is accepted has the mark of the packet that asked for the
 * connection, and what the kernel answers without a socket (a reset) that of what it answers. Linux,
 * Documentation/networking/ip-sysctl.rst; since 3.15. The first holds for IPv6 too.
 */
const NEEDED = ['ipv4/tcp_fwmark_accept', 'ipv4/fwmark_reflect'] as const;
/** Not there where IPv6 is built out. */
const OF_IPV6 = 'ipv6/fwmark_reflect';

export interface KeptMarks {
  /** Whether all of them hold now. */
  readonly kept: boolean;
  /** What had to be set, by name. */
  readonly set: readonly string[];
}

/**
 * Sees that the settings hold in the calling thread's namespace. `directory`: `/proc/sys/net`, or where it is mounted so that it can
 * be written, which in a container `/proc/sys` is not. Never throws: who cannot set them does without.
 */
export function keepMarks(directory: string): KeptMarks {
  const set: string[] = [];
  const hold = NEEDED.map(name => ensure(directory, name, set));
  if (existing(directory, OF_IPV6) !== undefined) hold.push(ensure(directory, OF_IPV6, set));
  return { kept: hold.every(Boolean), set };
}

/** As the kernel begins. Never throws. */
export function forgetMarks(directory: string): void {
  for (const name of [...NEEDED, OF_IPV6]) if (existing(directory, name) === '1') write(directory, name, '0');
}

function ensure(directory: string, name: string, set: string[]): boolean {
  if (existing(directory, name) === '1') return true;
  if (!write(directory, name, '1')) return false;
  set.push(`net.${name.replaceAll('/', '.')}`);
  return true;
}

function existing(directory: string, name: string): string | undefined {
  return readIfThere(join(directory, name))?.trim();
}

function write(directory: string, name: string, value: '0' | '1'): boolean {
  try {
    writeFileSync(join(directory, name), value, { flag: 'r+' });
    return existing(directory, name) === value;
  } catch {
    return false;
  }
}
