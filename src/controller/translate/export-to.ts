import type { Fields } from './decode.ts';

/** Matches no namespace: no name of one holds a "~". */
const NOBODY = '~';

/** What objects without `exportTo` are exported to: `*`, `.` or `~`, by the configuration of the mesh. */
export type ExportDefault = () => string;

const EXPORTED_TO_ALL: ExportDefault = () => '*';

/** Namespaces whose callers an object is for: `.` is its own, `~` none. Empty is all. */
export function readExportTo(
  spec: Fields,
  ownNamespace: string,
  otherwise: ExportDefault = EXPORTED_TO_ALL,
): readonly string[] {
  const written = spec.strings('exportTo');
  const given = written.length === 0 ? [otherwise()] : written;
  if (given.includes('*')) {
    if (given.length > 1) spec.reject('exportTo', 'holds "*" and more', 'keep "*" alone, or leave it out');
    return [];
  }
  if (given.includes('~') && given.length > 1)
    spec.reject('exportTo', 'holds "~" and more', 'keep "~" alone, or leave it out');
  return given.map(one => (one === '.' ? ownNamespace : one === '~' ? NOBODY : one));
}
