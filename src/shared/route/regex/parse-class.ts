import { negateSet, normalizeSet, POSIX_CLASSES, type CharSet } from './char-set.ts';
import { classEscape, literalEscape } from './parse-escape.ts';
import type { Scanner } from './scanner.ts';
import { RegexSyntaxError } from './syntax.ts';

/** After `[`: the characters of the class, up to and with its `]`. */
export function parseClass(scanner: Scanner): CharSet {
  const start = scanner.position - 1;
  const negated = scanner.take('^');
  const ranges: number[] = [];
  // A `]` that comes first is the character.
  for (let first = true; first || !scanner.sees(']'); first = false) {
    if (scanner.atEnd()) throw new RegexSyntaxError('the class that begins here is not closed', start);
    ranges.push(...parseItem(scanner));
  }
  scanner.take(']');
  const set = normalizeSet(ranges);
  return negated ? negateSet(set) : set;
}

function parseItem(scanner: Scanner): CharSet {
  const posix = scanner.takePattern(/\[:\^?[a-z]*:\]/y);
  if (posix !== undefined) return posixSet(scanner, posix);
  const escaped = scanner.take('\\');
  const set = escaped ? classEscape(scanner) : undefined;
  if (set !== undefined) return set;
  const from = escaped ? literalEscape(scanner) : scanner.next();
  const dash = scanner.takePattern(/-(?!\])/y);
  if (dash === undefined) return [from, from];
  const to = parseRangeEnd(scanner);
  if (to < from) throw scanner.error('a range of a class is out of order');
  return [from, to];
}

function parseRangeEnd(scanner: Scanner): number {
  if (!scanner.take('\\')) return scanner.next();
  if (classEscape(scanner) !== undefined) throw scanner.error('a range of a class ends in a class');
  return literalEscape(scanner);
}

function posixSet(scanner: Scanner, text: string): CharSet {
  const negated = text.startsWith('[:^');
  const name = text.slice(negated ? 3 : 2, -2);
  const set = POSIX_CLASSES.get(name);
  if (set === undefined) throw scanner.error(`"${text}" is no class of RE2`);
  return negated ? negateSet(set) : set;
}
