/**
 * A set of UTF-16 code units as sorted, disjoint, inclusive ranges: `[from, to, from, to, …]`.
 */
export type CharSet = readonly number[];

export const MAX_CHAR = 0xffff;
export const ANY_CHAR: CharSet = [0, MAX_CHAR];
export const DIGIT: CharSet = [0x30, 0x39];
/** RE2's `\s`: tab, line feed, form feed, carriage return, space. */
export const SPACE: CharSet = [0x09, 0x0a, 0x0c, 0x0d, 0x20, 0x20];
export const WORD: CharSet = [0x30, 0x39, 0x41, 0x5a, 0x5f, 0x5f, 0x61, 0x7a];

export function singleChar(code: number): CharSet {
  return [code, code];
}

/** Sorts and merges ranges that overlap or touch. */
export function normalizeSet(ranges: readonly number[]): CharSet {
  const pairs: [number, number][] = [];
  for (let i = 0; i < ranges.length; i += 2) pairs.push([ranges[i] ?? 0, ranges[i + 1] ?? 0]);
  pairs.sort((a, b) => a[0] - b[0]);
  const merged: number[] = [];
  for (const [from, to] of pairs) {
    const last = merged.length - 1;
    if (last >= 0 && from <= (merged[last] ?? 0) + 1) merged[last] = Math.max(merged[last] ?? 0, to);
    else merged.push(from, to);
  }
  return merged;
}

/** `set` must be normalized. */
export function inSet(set: CharSet, code: number): boolean {
  for (let i = 0; i < set.length; i += 2) {
    if (code < (set[i] ?? 0)) return false;
    if (code <= (set[i + 1] ?? 0)) return true;
  }
  return false;
}

/** `set` must be normalized. */
export function negateSet(set: CharSet): CharSet {
  const out: number[] = [];
  let from = 0;
  for (let i = 0; i < set.length; i += 2) {
    const start = set[i] ?? 0;
    if (start > from) out.push(from, start - 1);
    from = (set[i + 1] ?? 0) + 1;
  }
  if (from <= MAX_CHAR) out.push(from, MAX_CHAR);
  return out;
}

/** Adds the other case of every ASCII letter: header text and paths are ASCII where case means anything. */
export function foldCase(set: CharSet): CharSet {
  const out = [...set];
  for (let i = 0; i < set.length; i += 2) {
    const from = set[i] ?? 0;
    const to = set[i + 1] ?? 0;
    addShifted(out, Math.max(from, 0x41), Math.min(to, 0x5a), 0x20);
    addShifted(out, Math.max(from, 0x61), Math.min(to, 0x7a), -0x20);
  }
  return normalizeSet(out);
}

function addShifted(out: number[], from: number, to: number, by: number): void {
  if (from <= to) out.push(from + by, to + by);
}

/** The POSIX classes of RE2, `[[:alpha:]]`. */
export const POSIX_CLASSES: ReadonlyMap<string, CharSet> = new Map([
  ['alnum', [0x30, 0x39, 0x41, 0x5a, 0x61, 0x7a]],
  ['alpha', [0x41, 0x5a, 0x61, 0x7a]],
  ['ascii', [0x00, 0x7f]],
  ['blank', [0x09, 0x09, 0x20, 0x20]],
  ['cntrl', [0x00, 0x1f, 0x7f, 0x7f]],
  ['digit', [0x30, 0x39]],
  ['graph', [0x21, 0x7e]],
  ['lower', [0x61, 0x7a]],
  ['print', [0x20, 0x7e]],
  ['punct', [0x21, 0x2f, 0x3a, 0x40, 0x5b, 0x60, 0x7b, 0x7e]],
  ['space', [0x09, 0x0d, 0x20, 0x20]],
  ['upper', [0x41, 0x5a]],
  ['word', WORD],
  ['xdigit', [0x30, 0x39, 0x41, 0x46, 0x61, 0x66]],
]);
