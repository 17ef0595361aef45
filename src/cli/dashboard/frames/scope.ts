import type { ProblemRow, RefusalRow } from '#shared/dashboard/frames.ts';
import { matches } from '#shared/dashboard/matches.ts';

/** What of a view a page looks at. */
export interface Scope {
  /** Empty: all. */
  readonly namespace: string;
  /** Only what has this text in it. */
  readonly filter: string;
}

/** More is not read, and would keep a browser busy. */
const MAX_ROWS = 500;

export interface Bounded<R> {
  readonly rows: readonly R[];
  readonly leftOut: number;
}

export function bounded<R>(rows: readonly R[]): Bounded<R> {
  return { rows: rows.slice(0, MAX_ROWS), leftOut: Math.max(0, rows.length - MAX_ROWS) };
}

/** @param text that the filter looks for */
export function isInScope(
  row: { readonly namespace: string },
  text: string,
  { filter, namespace }: Scope,
): boolean {
  return (namespace === '' || row.namespace === namespace) && matches(text, filter);
}

/** What is of the mesh as a whole is of every namespace. */
export function isProblemInScope(p: ProblemRow, { filter, namespace }: Scope): boolean {
  const [, name = ''] = p.object.split(' ');
  const isElsewhere = namespace !== '' && name.includes('/') && !name.startsWith(`${namespace}/`);
  return !isElsewhere && matches(`${p.object} ${p.message}`, filter);
}

export function isRefusalInScope(r: RefusalRow, { filter, namespace }: Scope): boolean {
  const isIn = (name: string): boolean => namespace === '' || name.startsWith(`${namespace}/`);
  const text = [r.source, r.destination, r.service, r.policy, r.reason, r.request].join(' ');
  const isHere = isIn(r.source) || isIn(r.destination) || r.service.includes(`.${namespace}.`);
  return isHere && matches(text, filter);
}
