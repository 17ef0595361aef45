import { compileRegex, MATCHES_NOTHING, type SafeRegex } from '../route/regex/regex.ts';
import type { StringMatch } from './policy.ts';

/** The values of one field, ready to compare: a hash lookup for exact values, a short scan for the rest. */
export interface StringMatcher {
  readonly exact: ReadonlySet<string>;
  readonly patterns: readonly StringPattern[];
}

type StringPattern =
  | { readonly kind: 'prefix' | 'suffix' | 'contains'; readonly value: string }
  | { readonly kind: 'regex'; readonly regex: SafeRegex }
  | { readonly kind: 'presence' };

/**
 * @param normalize applied to every value but `presence` and patterns, for fields that are compared in a normal form (hosts
 * in lower case); the caller applies the same to what it compares.
 * @returns undefined for an empty list, which is a field that is not set.
 */
export function compileStrings(
  values: readonly StringMatch[],
  normalize: (value: string) => string = value => value,
): StringMatcher | undefined {
  if (values.length === 0) return undefined;
  const exact = new Set<string>();
  const patterns: StringPattern[] = [];
  for (const match of values) {
    if (match.kind === 'exact') exact.add(normalize(match.value));
    else if (match.kind === 'presence') patterns.push(match);
    else if (match.kind === 'regex') patterns.push(regexPattern(match.value));
    else if (match.kind === 'template') patterns.push(regexPattern(templateRegex(match.value)));
    else patterns.push({ kind: match.kind, value: normalize(match.value) });
  }
  return { exact, patterns };
}

/** One that does not compile never reaches this far (the boundary refuses it). */
function regexPattern(pattern: string): StringPattern {
  const result = compileRegex(pattern);
  return { kind: 'regex', regex: result.ok ? result.regex : MATCHES_NOTHING };
}

/** `{*}` is one path segment, `{**}` any number of characters, over segments too; the rest is taken as it stands. */
export function templateRegex(template: string): string {
  const parts = template.split(/(\{\*\*?\})/);
  return parts.map(part => (part === '{*}' ? '[^/]+' : part === '{**}' ? '(?s:.*)' : quoted(part))).join('');
}

function quoted(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

/** Whether any value of the field matches. An absent or empty `value` matches nothing, `presence` included. */
export function matchesAny(matcher: StringMatcher, value: string | undefined): boolean {
  if (value === undefined || value === '') return false;
  if (matcher.exact.has(value)) return true;
  for (const pattern of matcher.patterns) if (matchesPattern(pattern, value)) return true;
  return false;
}

function matchesPattern(pattern: StringPattern, value: string): boolean {
  switch (pattern.kind) {
    case 'prefix':
      return value.startsWith(pattern.value);
    case 'suffix':
      return value.endsWith(pattern.value);
    case 'contains':
      return value.includes(pattern.value);
    case 'regex':
      return pattern.regex.matches(value);
    case 'presence':
      return true;
  }
}
