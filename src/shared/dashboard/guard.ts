import { isJsonObject } from '../config/json.ts';

/** Whether what came over the wire is what it is taken for. */
export type Guard<T> = (value: unknown) => value is T;

export const isText: Guard<string> = value => typeof value === 'string';
export const isNumber: Guard<number> = (value): value is number =>
  typeof value === 'number' && Number.isFinite(value);
export const isFlag: Guard<boolean> = value => typeof value === 'boolean';

export function nullOr<T>(guard: Guard<T>): Guard<T | null> {
  return (value): value is T | null => value === null || guard(value);
}

export function listOf<T>(guard: Guard<T>): Guard<readonly T[]> {
  return (value): value is readonly T[] => Array.isArray(value) && value.every(guard);
}

export function oneOf<const T extends string>(...words: readonly T[]): Guard<T> {
  const known: ReadonlySet<unknown> = new Set(words);
  return (value): value is T => known.has(value);
}

/** An object with at least these fields: a newer server may say more. */
export function shape<T extends object>(fields: { readonly [K in keyof T]: Guard<T[K]> }): Guard<T> {
  const guards = Object.entries<Guard<unknown>>(fields);
  return (value): value is T => isJsonObject(value) && guards.every(([name, guard]) => guard(value[name]));
}
