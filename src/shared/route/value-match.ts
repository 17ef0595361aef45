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

/**
 * Of a repeated header any value may match, as in Envoy: what must not be there cannot be hidden behind a second value.
 * (RFC 9110 §5.2 lets a recipient combine them, and Gateway API leaves it to the implementation.)
 */
export function matchesHeader(match: CompiledValue, request: RoutedRequest): boolean {
  const { name } = match;
  if (isPseudo(name)) return matchesValue(match, pseudoHeader(request, name));
  const { headers } = request;
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] === name && matchesValue(match, headers[i + 1])) return true;
  }
  return false;
}

/** Of a header that must not match: one that is not there has no value, which a pattern may match (as Istio means it). */
export function matchesAbsentHeader(match: CompiledValue, request: RoutedRequest): boolean {
  if (matchesHeader(match, request)) return true;
  return match.kind !== 'present' && matchesValue(match, '') && !hasHeader(request, match.name);
}

export function matchesQuery(match: CompiledValue, target: string): boolean {
  return matchesValue(match, queryValue(target, match.name));
}

export function isPseudo(name: string): boolean {
  return name.charCodeAt(0) === COLON;
}

const COLON = 0x3a;

/** Undefined for those that cannot be asked for. */
export function pseudoHeader(request: RoutedRequest, name: string): string | undefined {
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

function hasHeader({ headers }: RoutedRequest, name: string): boolean {
  if (isPseudo(name)) return true;
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return true;
  return false;
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
