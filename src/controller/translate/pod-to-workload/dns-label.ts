import type { JsonObject } from '#shared/config/json.ts';
import type { Diagnostics } from '../diagnostic.ts';
import { textAt } from '../loose-fields.ts';

/** RFC 1123. */
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** One label of a DNS name; another text is said, and counts as none. @param at where the field is, for people */
export function dnsLabel(
  object: JsonObject,
  field: string,
  at: string,
  diagnostics: Diagnostics,
): string | undefined {
  const label = textAt(object, field);
  if (label === undefined || label === '') return undefined;
  if (LABEL.test(label)) return label;
  diagnostics.ignore(at, label, 'is no label of a DNS name', 'use a-z, 0-9 and -, 63 at most');
  return undefined;
}
