import { joinHeader } from '../http/headers.ts';
import type { ValueMatch } from './model.ts';
import { queryValue } from './query.ts';
import { compileRegex, MATCHES_NOTHING, type SafeRegex } from './regex/regex.ts';

/** A `ValueMatch` with its pattern compiled. */
export interface CompiledValue {
  readonly name: string;
  readonly kind: ValueMatch['kind'];
  readonly value: string;
  readonly regex: SafeRegex;
}

/** A pattern the boundary should have refused matches nothing. */
export function compileValue(match: ValueMatch): CompiledValue {
  const result = match.kind === 'regex' ? compileRegex(match.value) : undefined;
  return { ...match, regex: result?.ok === true ? result.regex : MATCHES_NOTHING };
}

/** A repeated header is compared as its values joined (RFC 9110 §5.2). */
export function matchesHeader(match: CompiledValue, headers: readonly string[]): boolean {
  return matchesValue(match, joinHeader(headers, match.name));
}

export function matchesQuery(match: CompiledValue, target: string): boolean {
  return matchesValue(match, queryValue(target, match.name));
}

function matchesValue(match: CompiledValue, value: string | undefined): boolean {
  if (value === undefined) return false;
  switch (match.kind) {
    case 'exact':
      return value === match.value;
    case 'prefix':
      return value.startsWith(match.value);
    case 'suffix':
      return value.endsWith(match.value);
    case 'contains':
      return value.includes(match.value);
    case 'regex':
      return match.regex.matches(value);
    case 'present':
      return true;
  }
}
