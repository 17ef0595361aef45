import { compileRegex, MATCHES_NOTHING, type SafeRegex } from '../route/regex/regex.ts';
import type { StringMatch } from './policy.ts';

/** The values of one field, ready to compare: a hash lookup for exact values, a short scan for the rest. */
export interface StringMatcher {
  readonly exact: ReadonlySet<string>;
  readonly patterns: readonly CompiledString[];
}

export type CompiledString =
  | { readonly kind: 'prefix' | 'suffix' | 'contains'; readonly value: string }
  | { readonly kind: 'regex'; readonly regex: SafeRegex }
  | { readonly kind: 'presence' };

/**
 * @param normalize applied to every value but `presence`, for fields that are compared in a normal form (hosts in lower
 * case); the caller applies the same to what it compares.
 * @returns undefined for an empty list, which is a field that is not set.
 */
export function compileStrings(
  values: readonly StringMatch[],
  normalize: (value: string) => string = value => value,
): StringMatcher | undefined {
  if (values.length === 0) return undefined;
  const exact = new Set<string>();
  const patterns: CompiledString[] = [];
  for (const match of values) {
    if (match.kind === 'exact') exact.add(normalize(match.value));
    else patterns.push(compileString(match, normalize));
  }
  return { exact, patterns };
}

function compileString(
  match: Exclude<StringMatch, { kind: 'exact' }>,
  normalize: (value: string) => string,
): CompiledString {
  switch (match.kind) {
    case 'presence':
      return match;
    case 'regex':
      return { kind: 'regex', regex: regexOf(match.value) };
    case 'template':
      return { kind: 'regex', regex: regexOf(templateRegex(normalize(match.value))) };
    default:
      return { kind: match.kind, value: normalize(match.value) };
  }
}

/** One that does not compile never reaches this far (the boundary refuses it). */
function regexOf(pattern: string): SafeRegex {
  const result = compileRegex(pattern);
  return result.ok ? result.regex : MATCHES_NOTHING;
}

/** Istio's: `{*}` is one path segment, `{**}` any number of them. */
export function templateRegex(template: string): string {
  return template
    .split(/(\{\*\*?\})/)
    .map(part => (part === '{*}' ? '[^/]+' : part === '{**}' ? '.*' : escapeRegex(part)))
    .join('');
}

function escapeRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

/** Whether any value of the field matches. An absent or empty `value` matches nothing, `presence` included. */
export function matchesAny(matcher: StringMatcher, value: string | undefined): boolean {
  if (value === undefined || value === '') return false;
  if (matcher.exact.has(value)) return true;
  for (const pattern of matcher.patterns) if (matchesString(pattern, value)) return true;
  return false;
}

function matchesString(match: CompiledString, value: string): boolean {
  switch (match.kind) {
    case 'prefix':
      return value.startsWith(match.value);
    case 'suffix':
      return value.endsWith(match.value);
    case 'contains':
      return value.includes(match.value);
    case 'regex':
      return match.regex.matches(value);
    case 'presence':
      return true;
  }
}
