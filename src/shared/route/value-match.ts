import { joinHeader } from '../http/headers.ts';
import type { RoutedRequest } from './compiled-match.ts';
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
  const value =
    match.name === ':authority' && match.kind !== 'regex' ? match.value.toLowerCase() : match.value;
  return { ...match, value, regex: result?.ok === true ? result.regex : MATCHES_NOTHING };
}

export function matchesHeader(match: CompiledValue, request: RoutedRequest): boolean {
  return matchesValue(match, headerValue(request, match.name));
}

export function matchesQuery(match: CompiledValue, target: string): boolean {
  return matchesValue(match, queryValue(target, match.name));
}

/** A repeated header is its values joined (RFC 9110 §5.2); pseudo-headers are what they stand for. */
export function headerValue(request: RoutedRequest, name: string): string | undefined {
  if (name.charCodeAt(0) !== COLON) return joinHeader(request.headers, name);
  switch (name) {
    case ':method':
      return request.method;
    case ':authority':
      return request.authority.toLowerCase();
    case ':scheme':
      return request.scheme;
    default:
      return undefined;
  }
}

const COLON = 0x3a;

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
