import { ANY_CHAR, foldCase, negateSet, singleChar, type CharSet } from './char-set.ts';
import { parseClass } from './parse-class.ts';
import { classEscape, literalEscape } from './parse-escape.ts';
import { Scanner } from './scanner.ts';
import { RegexSyntaxError, type RegexNode } from './syntax.ts';

const MAX_PATTERN_CHARS = 1024;
/** As RE2's own limit on a counted repetition. */
const MAX_REPEAT = 1000;
const MAX_NESTING = 50;

interface Flags {
  readonly ignoreCase: boolean;
  readonly dotAll: boolean;
  /** `(?U)`: `*` is lazy and `*?` is not. */
  readonly ungreedy: boolean;
}

const EMPTY: RegexNode = { kind: 'empty' };
const NOT_NEWLINE: CharSet = negateSet(singleChar(0x0a));

/**
 * Parses the RE2 syntax users of Envoy, Istio and Gateway API write.
 * @throws RegexSyntaxError for what is malformed, too long, or no part of RE2 (lookaround, backreferences), and for the
 * parts of RE2 that have no use when a whole text is matched (`\b`, `\B`, `(?m)`).
 */
export function parseRegex(pattern: string): RegexNode {
  if (pattern.length > MAX_PATTERN_CHARS) {
    throw new RegexSyntaxError(
      `the pattern has ${pattern.length} characters; at most ${MAX_PATTERN_CHARS} are taken`,
      MAX_PATTERN_CHARS,
    );
  }
  const scanner = new Scanner(pattern);
  const node = parseEither(scanner, { ignoreCase: false, dotAll: false, ungreedy: false }, 0);
  if (!scanner.atEnd()) throw scanner.error('a ")" closes no group; write "\\)" for the character');
  return node;
}

function parseEither(scanner: Scanner, flags: Flags, depth: number): RegexNode {
  if (depth > MAX_NESTING) throw scanner.error(`groups nest deeper than ${MAX_NESTING}`);
  const options: RegexNode[] = [];
  // Flags set inside one alternative hold for the ones after it, as in RE2.
  let current = flags;
  do {
    const { node, flags: after } = parseConcat(scanner, current, depth);
    options.push(node);
    current = after;
  } while (scanner.take('|'));
  const [only] = options;
  return options.length === 1 && only !== undefined ? only : { kind: 'either', options };
}

function parseConcat(scanner: Scanner, flags: Flags, depth: number): { node: RegexNode; flags: Flags } {
  const parts: RegexNode[] = [];
  let current = flags;
  while (!scanner.atEnd() && !scanner.sees('|') && !scanner.sees(')')) {
    const changed = takeFlags(scanner, current);
    if (changed !== undefined) {
      current = changed;
      continue;
    }
    if (scanner.take('\\Q')) {
      for (const code of scanner.takeQuoted()) parts.push(charsNode(singleChar(code), current));
      continue;
    }
    parts.push(parseRepeat(scanner, parseAtom(scanner, current, depth), current));
  }
  return { node: parts.length === 0 ? EMPTY : { kind: 'concat', parts }, flags: current };
}

function parseAtom(scanner: Scanner, flags: Flags, depth: number): RegexNode {
  if (scanner.sees('(')) return parseGroup(scanner, flags, depth);
  if (scanner.take('[')) return charsNode(parseClass(scanner), flags);
  if (scanner.take('.')) return { kind: 'chars', set: flags.dotAll ? ANY_CHAR : NOT_NEWLINE };
  if (scanner.take('^') || scanner.take('\\A')) return { kind: 'text_start' };
  if (scanner.take('$') || scanner.take('\\z')) return { kind: 'text_end' };
  if (scanner.sees('*') || scanner.sees('+') || scanner.sees('?')) {
    throw scanner.error(
      `"${scanner.peek()}" has nothing to repeat; write "\\${scanner.peek()}" for the character`,
    );
  }
  if (scanner.take('\\')) {
    const set = classEscape(scanner);
    return charsNode(set ?? singleChar(literalEscape(scanner)), flags);
  }
  return charsNode(singleChar(scanner.next()), flags);
}

function parseGroup(scanner: Scanner, flags: Flags, depth: number): RegexNode {
  const start = scanner.position;
  const { flags: inner, index } = openGroup(scanner, flags);
  const node = parseEither(scanner, inner, depth + 1);
  if (!scanner.take(')')) throw new RegexSyntaxError('the group that begins here is not closed', start);
  return index === undefined ? node : { kind: 'group', node, index };
}

/** Takes `(`, `(?:`, `(?i:`, `(?P<name>` or `(?<name>`. `index` is that of a group that captures. */
function openGroup(scanner: Scanner, flags: Flags): { flags: Flags; index: number | undefined } {
  if (scanner.sees('(?=') || scanner.sees('(?!')) throw scanner.error('lookahead is no part of RE2');
  if (scanner.sees('(?<=') || scanner.sees('(?<!')) throw scanner.error('lookbehind is no part of RE2');
  if (scanner.takePattern(/\(\?P?<[A-Za-z_]\w*>/y) !== undefined)
    return { flags, index: scanner.openGroup() };
  const flagged = scanner.takePattern(/\(\?[a-zA-Z-]*:/y);
  if (flagged !== undefined)
    return { flags: applyFlags(scanner, flagged.slice(2, -1), flags), index: undefined };
  if (scanner.sees('(?')) throw scanner.error('no such group in RE2');
  scanner.take('(');
  return { flags, index: scanner.openGroup() };
}

/** Takes `(?i)` and the like, which hold up to the end of the group. */
function takeFlags(scanner: Scanner, flags: Flags): Flags | undefined {
  const text = scanner.takePattern(/\(\?[a-zA-Z-]+\)/y);
  return text === undefined ? undefined : applyFlags(scanner, text.slice(2, -1), flags);
}

function applyFlags(scanner: Scanner, text: string, flags: Flags): Flags {
  let on = true;
  let { ignoreCase, dotAll, ungreedy } = flags;
  for (const flag of text) {
    if (flag === '-') on = false;
    else if (flag === 'i') ignoreCase = on;
    else if (flag === 's') dotAll = on;
    else if (flag === 'U') ungreedy = on;
    else throw scanner.error(`the flag "${flag}" is not supported; i, s and U are`);
  }
  return { ignoreCase, dotAll, ungreedy };
}

function parseRepeat(scanner: Scanner, atom: RegexNode, flags: Flags): RegexNode {
  const bounds = takeBounds(scanner);
  if (bounds === undefined) return atom;
  const lazy = scanner.take('?') !== flags.ungreedy;
  if (scanner.sees('*') || scanner.sees('+') || scanner.sees('?') || takeBounds(scanner) !== undefined) {
    throw scanner.error('a repetition repeats a repetition; put the inner one in a group');
  }
  return { kind: 'repeat', node: atom, min: bounds.min, max: bounds.max, lazy };
}

function takeBounds(scanner: Scanner): { min: number; max: number | undefined } | undefined {
  if (scanner.take('*')) return { min: 0, max: undefined };
  if (scanner.take('+')) return { min: 1, max: undefined };
  if (scanner.take('?')) return { min: 0, max: 1 };
  // As in RE2, a brace that is no repetition is the character.
  const counted = scanner.takePattern(/\{\d{1,6}(?:,\d{0,6})?\}/y);
  if (counted === undefined) return undefined;
  const [low = '0', high] = counted.slice(1, -1).split(',');
  const min = Number(low);
  const max = high === undefined ? min : high === '' ? undefined : Number(high);
  if (min > MAX_REPEAT || (max ?? 0) > MAX_REPEAT)
    throw scanner.error(`a repetition counts to ${MAX_REPEAT} at most`);
  if (max !== undefined && max < min) throw scanner.error(`a repetition of ${min} to ${max} is out of order`);
  return { min, max };
}

function charsNode(set: CharSet, flags: Flags): RegexNode {
  return { kind: 'chars', set: flags.ignoreCase ? foldCase(set) : set };
}
