import { DIGIT, MAX_CHAR, negateSet, SPACE, WORD, type CharSet } from './char-set.ts';
import type { Scanner } from './scanner.ts';

const CLASS_ESCAPES: ReadonlyMap<string, CharSet> = new Map([
  ['d', DIGIT],
  ['D', negateSet(DIGIT)],
  ['s', SPACE],
  ['S', negateSet(SPACE)],
  ['w', WORD],
  ['W', negateSet(WORD)],
]);

/** After `\`: the set of `\d`, `\pL` and the like; undefined (and nothing taken) for other escapes. */
export function classEscape(scanner: Scanner): CharSet | undefined {
  const set = CLASS_ESCAPES.get(scanner.peek());
  if (set !== undefined) {
    scanner.next();
    return set;
  }
  const property = scanner.takePattern(/[pP](?:[A-Z]|\{\^?[A-Za-z_]+\})/y);
  return property === undefined ? undefined : propertySet(scanner, property);
}

/** Asking the runtime about every character takes milliseconds, and a pattern may name a class many times. */
const knownProperties = new Map<string, CharSet>();

/** `\pL`, `\p{Greek}`, `\P{Lu}`, `\p{^Lu}`: the runtime knows which characters these are. */
function propertySet(scanner: Scanner, text: string): CharSet {
  const caret = text.includes('^');
  const name = text.slice(1).replace(/[{}^]/g, '');
  const negated = text.startsWith('P') !== caret;
  const set = knownProperties.get(name) ?? listProperty(name);
  if (set === undefined) throw scanner.error(`"${name}" is no Unicode class`);
  knownProperties.set(name, set);
  return negated ? negateSet(set) : set;
}

/** The names are Unicode's, so what is kept of them is bounded. */
function listProperty(name: string): CharSet | undefined {
  const expression = unicodeProperty(name) ?? unicodeProperty(`Script=${name}`);
  if (expression === undefined) return undefined;
  const ranges: number[] = [];
  for (let code = 0; code <= MAX_CHAR; code++) {
    if (!expression.test(String.fromCharCode(code))) continue;
    const last = ranges.length - 1;
    if (last >= 0 && ranges[last] === code - 1) ranges[last] = code;
    else ranges.push(code, code);
  }
  return ranges;
}

function unicodeProperty(name: string): RegExp | undefined {
  try {
    return new RegExp(`^\\p{${name}}$`, 'u');
  } catch {
    return undefined;
  }
}

const CONTROL_ESCAPES: ReadonlyMap<string, number> = new Map([
  ['a', 0x07],
  ['f', 0x0c],
  ['n', 0x0a],
  ['r', 0x0d],
  ['t', 0x09],
  ['v', 0x0b],
]);

/** After `\`, when it is no class: the one character the escape stands for. */
export function literalEscape(scanner: Scanner): number {
  const letter = scanner.peek();
  const control = CONTROL_ESCAPES.get(letter);
  if (control !== undefined) {
    scanner.next();
    return control;
  }
  const hex = scanner.takePattern(/x(?:[0-9A-Fa-f]{2}|\{[0-9A-Fa-f]{1,6}\})/y);
  if (hex !== undefined) return hexCode(scanner, hex);
  if (letter === 'b' || letter === 'B') {
    throw scanner.error(`"\\${letter}" (word boundary) is not supported; spell out the characters around it`);
  }
  if (/[1-9k]/.test(letter)) throw scanner.error('backreferences are no part of RE2');
  if (/[A-Za-z0-9]/.test(letter)) throw scanner.error(`"\\${letter}" is no escape of RE2`);
  return scanner.next();
}

function hexCode(scanner: Scanner, text: string): number {
  const code = Number.parseInt(text.replace(/[x{}]/g, ''), 16);
  if (code > MAX_CHAR) throw scanner.error('characters beyond U+FFFF are not supported');
  return code;
}
