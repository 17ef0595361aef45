import type { Fields } from '../decode.ts';

export type StringMatchKind = 'exact' | 'prefix' | 'regex';

export interface TextMatch {
  readonly kind: StringMatchKind;
  readonly value: string;
}

/** Istio's StringMatch: one of exact, prefix, regex; undefined when it holds none. */
export function readStringMatch(fields: Fields): TextMatch | undefined {
  const kinds = (['exact', 'prefix', 'regex'] as const).filter(kind => fields.has(kind));
  const [kind] = kinds;
  if (kinds.length > 1)
    fields.reject('exact', 'is set together with another kind of match', 'keep one of exact, prefix, regex');
  return kind === undefined ? undefined : { kind, value: fields.string(kind) ?? '' };
}
