import { readFileSync } from 'node:fs';
import { libc } from './libc.ts';

/** include/uapi/asm-generic/mman-common.h */
const MADV_DONTNEED = 4;
/** Smaller ones are not worth the call. */
const MIN_BYTES = 1024 * 1024;

/** A range of the address space, in bytes. */
export interface MappedRange {
  readonly start: bigint;
  readonly bytes: bigint;
}

/**
 * Lets go of the pages of the runtime's program that starting has touched (some 50 MB of 120); those that are used come
 * back from the page cache one by one, without a read from disk. Not for each thread: the mapping is the process's.
 * madvise(2). Never throws.
 * @returns bytes of address space that were looked through; 0 where there is no /proc
 */
export function releaseCodePages(): number {
  let released = 0;
  for (const { start, bytes } of programRanges(readMappings(), process.execPath))
    if (libc().madvise(start, bytes, MADV_DONTNEED) === 0) released += Number(bytes);
  return released;
}

/**
 * Mappings of `program` that are as they are in its file, so that nothing is lost when they are let go: not writable, and
 * without a page of their own (relocated data has some). `mappings`: proc_pid_smaps(5)
 */
export function programRanges(mappings: string, program: string): MappedRange[] {
  const ranges: MappedRange[] = [];
  let candidate: MappedRange | undefined;
  for (const line of mappings.split('\n')) {
    const head = /^([0-9a-f]+)-([0-9a-f]+) r-[-x]p [0-9a-f]+ \S+ \d+ +(.*)$/.exec(line);
    if (head !== null) candidate = head[3] === program ? rangeOf(head[1], head[2]) : undefined;
    else if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) candidate = undefined;
    else if (candidate !== undefined && /^Anonymous: +0 kB$/.test(line)) {
      if (candidate.bytes >= MIN_BYTES) ranges.push(candidate);
    }
  }
  return ranges;
}

function rangeOf(start = '0', end = '0'): MappedRange {
  const from = BigInt(`0x${start}`);
  return { start: from, bytes: BigInt(`0x${end}`) - from };
}

function readMappings(): string {
  try {
    return readFileSync('/proc/self/smaps', 'latin1');
  } catch {
    return '';
  }
}
