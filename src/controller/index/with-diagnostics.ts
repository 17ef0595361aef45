import type { Diagnostic } from '../translate/diagnostic.ts';
import type { ObjectStatus } from './parsed-kind.ts';

/** With what was found in objects by looking at others too. Of one that is for many services something may be said for each. */
export function withDiagnostics(
  statuses: readonly ObjectStatus[],
  found: readonly Diagnostic[],
): readonly ObjectStatus[] {
  const byKey = Map.groupBy(found, ({ object }) => object.replace(' ', '/'));
  return statuses.map(status => {
    const more = byKey.get(status.key);
    return more === undefined ? status : { ...status, diagnostics: [...status.diagnostics, ...more] };
  });
}
