import { inSet } from './char-set.ts';
import type { Program, Step } from './program.ts';

/**
 * Matches whole texts in time linear in their length, whatever the pattern: a deterministic automaton whose states are
 * made when first needed and kept. Never backtracks.
 */
export class Automaton {
  readonly #program: Program;
  readonly #classes: CharClasses;
  #states = new Map<string, State>();
  #start: State;

  constructor(program: Program) {
    this.#program = program;
    this.#classes = classifyChars(program);
    this.#start = this.#enter([program.start], true);
  }

  /** Whether the pattern matches `text` from its first to its last character; a text over the bound never does. */
  matches(text: string): boolean {
    if (text.length > MAX_TEXT_CHARS) return false;
    let state = this.#start;
    for (let i = 0; i < text.length; i++) {
      const charClass = classOf(this.#classes, text.charCodeAt(i));
      const next = state.next[charClass] ?? this.#advance(state, charClass);
      if (next.steps.length === 0) return false;
      state = next;
    }
    return state.accepts;
  }

  #advance(state: State, charClass: number): State {
    const sample = this.#classes.samples[charClass] ?? 0;
    const targets: number[] = [];
    for (const index of state.steps) {
      const step = this.#program.steps[index];
      if (step?.kind === 'chars' && inSet(step.set, sample)) targets.push(step.next);
    }
    const next = this.#enter(targets, false);
    state.next[charClass] = next;
    return next;
  }

  #enter(targets: readonly number[], atStart: boolean): State {
    const closure = closeOver(this.#program.steps, targets, atStart);
    const key = `${closure.join(' ')}${atStart ? '^' : ''}`;
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    // Texts made to need many states cost their building again, never unbounded memory.
    if (this.#states.size >= MAX_STATES) this.#forget();
    const state: State = {
      steps: closure,
      accepts: reachesEnd(this.#program.steps, closure, atStart),
      next: this.#classes.samples.map(() => undefined),
    };
    this.#states.set(key, state);
    return state;
  }

  #forget(): void {
    this.#states = new Map();
    this.#start = { ...this.#start, next: this.#start.next.map(() => undefined) };
  }
}

const MAX_STATES = 500;
/** With the bound on steps it bounds the time of one match, even when every character makes a new state. */
export const MAX_TEXT_CHARS = 8192;

interface State {
  /** Indices of `chars` and `text_end` steps and of `accept`; empty when nothing can match any more. */
  readonly steps: readonly number[];
  readonly accepts: boolean;
  /** By character class; undefined until first needed. */
  readonly next: (State | undefined)[];
}

/** Steps reachable without taking a character, sorted. `text_end` is kept: only the end of the text passes it. */
function closeOver(steps: readonly Step[], from: readonly number[], atStart: boolean): number[] {
  const seen = new Set<number>();
  const open = [...from];
  const found: number[] = [];
  for (let index = open.pop(); index !== undefined; index = open.pop()) {
    if (seen.has(index)) continue;
    seen.add(index);
    const step = steps[index];
    if (step?.kind === 'split') open.push(...step.next);
    else if (step?.kind === 'save') open.push(step.next);
    else if (step?.kind === 'text_start') {
      if (atStart) open.push(step.next);
    } else found.push(index);
  }
  return found.sort((a, b) => a - b);
}

function reachesEnd(steps: readonly Step[], closure: readonly number[], atStart: boolean): boolean {
  const seen = new Set<number>();
  let open = closure;
  while (open.length > 0) {
    const past: number[] = [];
    for (const index of open) {
      const step = steps[index];
      if (step?.kind === 'accept') return true;
      if (step?.kind !== 'text_end' || seen.has(index)) continue;
      seen.add(index);
      past.push(step.next);
    }
    open = closeOver(steps, past, atStart);
  }
  return false;
}

/** Characters no step of the pattern tells apart are one class. */
interface CharClasses {
  /** Class of each code unit below 256: all that paths and header values hold. */
  readonly low: Uint16Array;
  /** First code unit of each class, ascending. */
  readonly samples: readonly number[];
}

function classifyChars(program: Program): CharClasses {
  const starts = new Set([0]);
  for (const step of program.steps) {
    if (step.kind !== 'chars') continue;
    for (let i = 0; i < step.set.length; i += 2) {
      starts.add(step.set[i] ?? 0);
      starts.add((step.set[i + 1] ?? 0) + 1);
    }
  }
  const samples = [...starts].filter(code => code <= 0xffff).sort((a, b) => a - b);
  const low = new Uint16Array(256);
  for (let code = 0; code < 256; code++) low[code] = indexAt(samples, code);
  return { low, samples };
}

function classOf(classes: CharClasses, code: number): number {
  return code < 256 ? (classes.low[code] ?? 0) : indexAt(classes.samples, code);
}

/** Index of the last of the ascending `starts` that is not above `code`. */
function indexAt(starts: readonly number[], code: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] ?? 0) <= code) low = middle;
    else high = middle - 1;
  }
  return low;
}
