import type { SourceMatch } from '#shared/route/model.ts';
import type { Fields } from '../decode.ts';

/** A source asked for by its pods' labels, which the index puts the workloads in for. */
export interface LabelledSource {
  /** The very object that stands in the match. */
  readonly source: SourceMatch;
  readonly labels: ReadonlyMap<string, string>;
}

/** `sourceLabels` and `sourceNamespace`. */
export function readSource(fields: Fields, labelled: LabelledSource[]): SourceMatch | undefined {
  const namespace = fields.string('sourceNamespace');
  const labels = fields.stringMap('sourceLabels');
  const namespaces = namespace === undefined || namespace === '' ? [] : [namespace];
  if (labels.size > 0) {
    const source: SourceMatch = { namespaces, workloads: [] };
    labelled.push({ source, labels });
    return source;
  }
  return namespaces.length === 0 ? undefined : { namespaces, workloads: undefined };
}
