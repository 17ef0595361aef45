import type { CharSet } from './char-set.ts';
import { RegexSyntaxError, type RegexNode } from './syntax.ts';

/** Steps of a nondeterministic automaton; the numbers are indices of other steps. */
export type Step =
  | { readonly kind: 'chars'; readonly set: CharSet; readonly next: number }
  | { readonly kind: 'split'; readonly next: readonly number[] }
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
export function compileProgram(node: RegexNode): Program {
  const steps: Step[] = [{ kind: 'accept' }];
  const start = emit(steps, node, 0);
  return { steps, start };
}

/** Adds the steps of `node` that go on to `next`. @returns the first of them. */
function emit(steps: Step[], node: RegexNode, next: number): number {
  switch (node.kind) {
    case 'empty':
      return next;
    case 'chars':
      return push(steps, { kind: 'chars', set: node.set, next });
    case 'text_start':
    case 'text_end':
      return push(steps, { kind: node.kind, next });
    case 'concat':
      return node.parts.reduceRight((after, part) => emit(steps, part, after), next);
    case 'either':
      return push(steps, { kind: 'split', next: node.options.map(option => emit(steps, option, next)) });
    case 'repeat':
      return emitRepeat(steps, node.node, node.min, node.max, next);
  }
}

function emitRepeat(
  steps: Step[],
  node: RegexNode,
  min: number,
  max: number | undefined,
  next: number,
): number {
  let first = max === undefined ? emitStar(steps, node, next) : next;
  for (let i = min; i < (max ?? min); i++) {
    first = push(steps, { kind: 'split', next: [emit(steps, node, first), next] });
  }
  for (let i = 0; i < min; i++) first = emit(steps, node, first);
  return first;
}

function emitStar(steps: Step[], node: RegexNode, next: number): number {
  const loop: { kind: 'split'; next: number[] } = { kind: 'split', next: [next] };
  const index = push(steps, loop);
  loop.next.push(emit(steps, node, index));
  return index;
}

function push(steps: Step[], step: Step): number {
  if (steps.length >= MAX_STEPS) {
    throw new RegexSyntaxError(`the pattern needs more than ${MAX_STEPS} steps; use smaller repetitions`, 0);
  }
  steps.push(step);
  return steps.length - 1;
}
