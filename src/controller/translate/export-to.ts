import type { Fields } from './decode.ts';

/** Matches no namespace: no name of one holds a "~". */
const NOBODY = '~';

/** Namespaces whose callers an object is for: `.` is its own, `~` none. Empty is all. */
export function readExportTo(spec: Fields, ownNamespace: string): readonly string[] {
  const given = spec.strings('exportTo');
  if (given.includes('*')) {
    if (given.length > 1) spec.reject('exportTo', 'holds "*" and more', 'keep "*" alone, or leave it out');
    return [];
  }
  if (given.includes('~') && given.length > 1)
    spec.reject('exportTo', 'holds "~" and more', 'keep "~" alone, or leave it out');
  return given.map(one => (one === '.' ? ownNamespace : one === '~' ? NOBODY : one));
}
