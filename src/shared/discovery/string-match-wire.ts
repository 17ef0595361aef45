import type { StringMatch } from '../authz/policy.ts';
import { checkRegex } from './match-wire.ts';
import {
  InvalidField,
  readFlag,
  readMessage,
  readMessages,
  readOptionalText,
  type WireFields,
  within,
} from './wire-fields.ts';

/** `istio.security.StringMatch` */
export function stringMatches(wire: WireFields, field: string): readonly StringMatch[] {
  return readMessages(wire, field).map((match, i) => within(`${field}[${i}]`, () => stringMatch(match)));
}

/** What both messages can say. */
type WireStringMatch =
  | { readonly kind: 'exact' | 'prefix' | 'suffix'; readonly value: string }
  | { readonly kind: 'presence' };

/** A match of no kind we know would be skipped, and a DENY would stop denying: the policy is refused instead. */
function stringMatch(wire: WireFields): WireStringMatch {
  for (const kind of ['exact', 'prefix', 'suffix'] as const) {
    const value = readOptionalText(wire, kind);
    if (value !== undefined) return { kind, value };
  }
  if (readMessage(wire, 'presence') !== undefined) return { kind: 'presence' };
  throw new InvalidField('match_type', 'is none of exact, prefix, suffix, presence');
}

/** `ambient.mesh.v1.TextMatch`: a string match and what only a waypoint can compare. */
export function textMatches(wire: WireFields, field: string): readonly StringMatch[] {
  return readMessages(wire, field).map((match, i) => within(`${field}[${i}]`, () => textMatch(match)));
}

function textMatch(wire: WireFields): StringMatch {
  if (readMessage(wire, 'any') !== undefined) return { kind: 'any' };
  for (const kind of ['regex', 'template'] as const) {
    const value = readOptionalText(wire, kind);
    if (value === undefined) continue;
    if (kind === 'regex') checkRegex(value, kind);
    return { kind, value };
  }
  const contained = readOptionalText(wire, 'contains');
  const match =
    contained === undefined ? stringMatch(wire) : ({ kind: 'contains', value: contained } as const);
  return readFlag(wire, 'ignore_case') && 'value' in match ? { ...match, ignoreCase: true } : match;
}

export function stringMatchToWire(match: StringMatch): object {
  if (!('value' in match)) return { [match.kind]: {} };
  const fields = { [match.kind]: match.value };
  return 'ignoreCase' in match ? { ...fields, ignore_case: true } : fields;
}
