import type { CharSet } from './char-set.ts';
import { RegexSyntaxError, type RegexNode } from './syntax.ts';

/** Steps of a nondeterministic automaton; the numbers are indices of other steps. */
export type Step =
  | { readonly kind: 'chars'; readonly set: CharSet; readonly next: number }
  /** In order of preference, which matters for what groups capture alone. */
  | { readonly kind: 'split'; readonly next: readonly number[] }
  /** Notes where a group begins (`2 * index`) or ends (one more). */
  | { readonly kind: 'save'; readonly slot: number; readonly next: number }
  | { readonly kind: 'text_start'; readonly next: number }
  | { readonly kind: 'text_end'; readonly next: number }
  | { readonly kind: 'accept' };

export interface Program {
  readonly steps: readonly Step[];
  readonly start: number;
}

/** A repetition multiplies what it repeats; this bounds the memory and the time per character. */
const MAX_STEPS = 2000;

/** @throws RegexSyntaxError when repetitions make the pattern too large. */
export function compileProgram(node: RegexNode, options: { captures: boolean }): Program {
  const emitter: Emitter = { steps: [{ kind: 'accept' }], captures: options.captures };
  const start = emit(emitter, node, 0);
  return { steps: emitter.steps, start };
}

interface Emitter {
  readonly steps: Step[];
  readonly captures: boolean;
}

/** Adds the steps of `node` that go on to `next`. @returns the first of them. */
function emit(to: Emitter, node: RegexNode, next: number): number {
  switch (node.kind) {
    case 'empty':
      return next;
    case 'chars':
      return push(to, { kind: 'chars', set: node.set, next });
    case 'text_start':
    case 'text_end':
      return push(to, { kind: node.kind, next });
    case 'concat':
      return node.parts.reduceRight((after, part) => emit(to, part, after), next);
    case 'either':
      return push(to, { kind: 'split', next: node.options.map(option => emit(to, option, next)) });
    case 'group':
      return to.captures ? emitGroup(to, node.node, node.index, next) : emit(to, node.node, next);
    case 'repeat':
      return emitRepeat(to, node, next);
  }
}

function emitGroup(to: Emitter, node: RegexNode, index: number, next: number): number {
  const end = push(to, { kind: 'save', slot: 2 * index + 1, next });
  return push(to, { kind: 'save', slot: 2 * index, next: emit(to, node, end) });
}

function emitRepeat(to: Emitter, repeat: Extract<RegexNode, { kind: 'repeat' }>, next: number): number {
  const { node, min, max, lazy } = repeat;
  let first = max === undefined ? emitStar(to, node, lazy, next) : next;
  for (let i = min; i < (max ?? min); i++) {
    const once = emit(to, node, first);
    first = push(to, { kind: 'split', next: lazy ? [next, once] : [once, next] });
  }
  for (let i = 0; i < min; i++) first = emit(to, node, first);
  return first;
}

function emitStar(to: Emitter, node: RegexNode, lazy: boolean, next: number): number {
  const loop: { kind: 'split'; next: number[] } = { kind: 'split', next: [] };
  const index = push(to, loop);
  const again = emit(to, node, index);
  loop.next.push(...(lazy ? [next, again] : [again, next]));
  return index;
}

function push({ steps }: Emitter, step: Step): number {
  if (steps.length >= MAX_STEPS) {
    throw new RegexSyntaxError(`the pattern needs more than ${MAX_STEPS} steps; use smaller repetitions`, 0);
  }
  steps.push(step);
  return steps.length - 1;
}
