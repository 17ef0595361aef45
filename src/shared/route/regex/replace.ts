import { inSet } from './char-set.ts';
import { parseRegex } from './parse.ts';
import { compileProgram, type Program } from './program.ts';
import { RegexSyntaxError, type RegexNode } from './syntax.ts';

/** Replaces what a pattern matches, as RE2's GlobalReplace (which Envoy's regex rewrite is). */
export interface RegexReplacement {
  /**
   * `text` with every match replaced: the leftmost, by the preference of alternatives and repetitions, then on after it.
   * Linear in the text for each match. A text over `MAX_TEXT_CHARS`, or one that takes too long, comes back as it is.
   */
  replaceAll(text: string): string;
}

export type ReplacementResult =
  | { readonly ok: true; readonly replacement: RegexReplacement }
  | { readonly ok: false; readonly reason: string };

const MAX_TEXT_CHARS = 8192;
/** Steps looked at for one text: some tens of milliseconds. Only patterns made for it get there. */
const MAX_WORK = 5_000_000;

/**
 * @param substitution `\0` is all that matched, `\1` to `\9` what a group did (nothing, where it did not), `\\` a backslash.
 */
export function compileReplacement(pattern: string, substitution: string): ReplacementResult {
  try {
    const node = parseRegex(pattern);
    const parts = parseSubstitution(substitution, countGroups(node));
    if (typeof parts === 'string') return { ok: false, reason: parts };
    const program = compileProgram(node, { captures: true });
    return { ok: true, replacement: { replaceAll: text => replaceAll(program, parts, text) } };
  } catch (error) {
    if (!(error instanceof RegexSyntaxError)) throw error;
    return { ok: false, reason: `${error.message} (at character ${error.position} of the pattern)` };
  }
}

/** A text, or the number of a group. */
type SubstitutionPart = string | number;

function parseSubstitution(text: string, groups: number): readonly SubstitutionPart[] | string {
  const parts: SubstitutionPart[] = [];
  for (const [part = ''] of text.matchAll(/\\.?|[^\\]+/gs)) {
    if (!part.startsWith('\\')) parts.push(part);
    else if (part === '\\\\') parts.push('\\');
    else if (/^\\\d$/.test(part)) {
      const group = Number(part.slice(1));
      if (group > groups) return `the substitution names group ${group} of ${groups}`;
      parts.push(group);
    } else return `the substitution holds "${part}"; write \\\\ for a backslash`;
  }
  return parts;
}

function countGroups(node: RegexNode): number {
  switch (node.kind) {
    case 'group':
      return 1 + countGroups(node.node);
    case 'repeat':
      return countGroups(node.node);
    case 'concat':
      return node.parts.reduce((sum, part) => sum + countGroups(part), 0);
    case 'either':
      return node.options.reduce((sum, part) => sum + countGroups(part), 0);
    default:
      return 0;
  }
}

function replaceAll(program: Program, parts: readonly SubstitutionPart[], text: string): string {
  if (text.length > MAX_TEXT_CHARS) return text;
  const work = { left: MAX_WORK };
  let result = '';
  let at = 0;
  let lastEnd = -1;
  while (at <= text.length) {
    const found = search(program, text, at, work);
    if (work.left < 0) return text;
    if (found === undefined) break;
    const [start = at, end = at] = found;
    result += text.slice(at, start);
    if (start === end && start === lastEnd) {
      // As RE2: nothing is not matched right behind a match.
      result += text.slice(start, start + 1);
      at = start + 1;
      continue;
    }
    for (const part of parts) result += typeof part === 'string' ? part : captured(text, found, part);
    at = end;
    lastEnd = end;
  }
  return result + text.slice(at);
}

function captured(text: string, slots: Slots, group: number): string {
  const [start, end] = [slots[2 * group], slots[2 * group + 1]];
  return start === undefined || end === undefined ? '' : text.slice(start, end);
}

/** Offsets where groups begin and end; the first two are those of the match. */
type Slots = readonly (number | undefined)[];

interface Thread {
  readonly step: number;
  readonly slots: Slots;
}

/** All ways a match may go on, side by side, in order of preference (Pike's algorithm): never backtracks. */
function search(program: Program, text: string, from: number, work: { left: number }): Slots | undefined {
  let threads: Thread[] = [];
  let found: Slots | undefined;
  for (let at = from; at <= text.length; at++) {
    const next: Thread[] = [];
    const seen = new Set<number>();
    const list: Thread[] = [];
    for (const thread of threads) follow(program, thread.step, thread.slots, at, text.length, seen, list);
    if (found === undefined) follow(program, program.start, [at], at, text.length, seen, list);
    work.left -= seen.size + 1;
    if (work.left < 0) return undefined;
    for (const thread of list) {
      const step = program.steps[thread.step];
      if (step?.kind === 'accept') {
        found = [thread.slots[0], at, ...thread.slots.slice(2)];
        // Those after it are less preferred.
        break;
      }
      if (step?.kind === 'chars' && at < text.length && inSet(step.set, text.charCodeAt(at)))
        next.push({ step: step.next, slots: thread.slots });
    }
    if (next.length === 0 && found !== undefined) break;
    threads = next;
  }
  return found;
}

/** Adds the steps reachable from `step` without taking a character, the preferred first. */
function follow(
  program: Program,
  step: number,
  slots: Slots,
  at: number,
  length: number,
  seen: Set<number>,
  list: Thread[],
): void {
  const open: Thread[] = [{ step, slots }];
  for (let thread = open.pop(); thread !== undefined; thread = open.pop()) {
    if (seen.has(thread.step)) continue;
    seen.add(thread.step);
    const found = program.steps[thread.step];
    switch (found?.kind) {
      case 'split':
        for (const next of found.next.toReversed()) open.push({ step: next, slots: thread.slots });
        break;
      case 'save':
        open.push({ step: found.next, slots: withSlot(thread.slots, found.slot, at) });
        break;
      case 'text_start':
        if (at === 0) open.push({ step: found.next, slots: thread.slots });
        break;
      case 'text_end':
        if (at === length) open.push({ step: found.next, slots: thread.slots });
        break;
      case 'chars':
      case 'accept':
        list.push(thread);
        break;
      case undefined:
        break;
    }
  }
}

function withSlot(slots: Slots, slot: number, at: number): Slots {
  const changed = [...slots];
  while (changed.length <= slot) changed.push(undefined);
  changed[slot] = at;
  return changed;
}
