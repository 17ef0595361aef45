import type { LogSubject, Term, Value } from './term.ts';

const COMPARISONS = {
  '==': (a: Value, b: Value) => a === b,
  '!=': (a: Value, b: Value) => a !== b,
  '<': (a: Value, b: Value) => a < b,
  '<=': (a: Value, b: Value) => a <= b,
  '>': (a: Value, b: Value) => a > b,
  '>=': (a: Value, b: Value) => a >= b,
} as const;

export type Comparison = keyof typeof COMPARISONS;

export function isComparison(sign: string): sign is Comparison {
  return Object.hasOwn(COMPARISONS, sign);
}

/** Of two terms of one type. */
export function comparison(sign: Comparison, left: Term, right: Term): Term {
  const holds = COMPARISONS[sign];
  return bool(subject => both(left, right, subject, holds));
}

/** True where one is true, whatever cannot be told of the others: CEL's `||`. */
export function disjunction(terms: readonly Term[]): Term {
  return bool(subject => decided(terms, subject, true));
}

/** False where one is false, whatever cannot be told of the others: CEL's `&&`. */
export function conjunction(terms: readonly Term[]): Term {
  return bool(subject => decided(terms, subject, false));
}

export function negation({ read }: Term): Term {
  return bool(subject => {
    const value = read(subject);
    return value === undefined ? undefined : value !== true;
  });
}

export function oneOf(left: Term, items: readonly Term[]): Term {
  return disjunction(items.map(item => comparison('==', left, item)));
}

export function textTest(test: 'contains' | 'endsWith' | 'startsWith', text: Term, part: Term): Term {
  return bool(subject =>
    both(text, part, subject, (whole, of) => TEXT_TESTS[test](String(whole), String(of))),
  );
}

const TEXT_TESTS = {
  contains: (whole: string, part: string) => whole.includes(part),
  endsWith: (whole: string, part: string) => whole.endsWith(part),
  startsWith: (whole: string, part: string) => whole.startsWith(part),
} as const;

function bool(read: (subject: LogSubject) => boolean | undefined): Term {
  return { type: 'bool', read };
}

function both(
  left: Term,
  right: Term,
  subject: LogSubject,
  holds: (a: Value, b: Value) => boolean,
): boolean | undefined {
  const a = left.read(subject);
  const b = right.read(subject);
  return a === undefined || b === undefined ? undefined : holds(a, b);
}

function decided(terms: readonly Term[], subject: LogSubject, by: boolean): boolean | undefined {
  let unknown = false;
  for (const { read } of terms) {
    const value = read(subject);
    if (value === by) return by;
    unknown ||= value === undefined;
  }
  return unknown ? undefined : !by;
}
