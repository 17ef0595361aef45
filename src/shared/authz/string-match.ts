import { compileRegex, MATCHES_NOTHING, type SafeRegex } from '../route/regex/regex.ts';
import type { StringMatch } from './policy.ts';

/** The values of one field, ready to compare: a hash lookup for exact values, a short scan for the rest. */
export interface StringMatcher {
  readonly exact: ReadonlySet<string>;
  readonly patterns: readonly StringPattern[];
}

type StringPattern =
  | TextPattern
  | { readonly kind: 'ignoring_case'; readonly lower: TextPattern }
  | { readonly kind: 'regex'; readonly regex: SafeRegex }
  | { readonly kind: 'presence' | 'any' };

interface TextPattern {
  readonly kind: 'exact' | 'prefix' | 'suffix' | 'contains';
  readonly value: string;
}

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
    if (match.kind === 'exact' && match.ignoreCase !== true) exact.add(normalize(match.value));
    else patterns.push(patternOf(match, normalize));
  }
  return { exact, patterns };
}

function patternOf(match: StringMatch, normalize: (value: string) => string): StringPattern {
  switch (match.kind) {
    case 'presence':
    case 'any':
      return match;
    case 'regex':
      return regexPattern(match.value);
    case 'template':
      return regexPattern(templateRegex(match.value));
    case 'exact':
    case 'prefix':
    case 'suffix':
    case 'contains': {
      const { ignoreCase, kind } = match;
      const value = normalize(match.value);
      return ignoreCase === true
        ? { kind: 'ignoring_case', lower: { kind, value: value.toLowerCase() } }
        : { kind, value };
    }
  }
}

/** One that does not compile never reaches this far (the boundary refuses it). */
function regexPattern(pattern: string): StringPattern {
  const result = compileRegex(pattern);
  return { kind: 'regex', regex: result.ok ? result.regex : MATCHES_NOTHING };
}

/** `{*}` is one path segment, `{**}` any number of characters, over segments too; the rest is taken as it stands. */
function templateRegex(template: string): string {
  const parts = template.split(/(\{\*\*?\})/);
  return parts.map(part => (part === '{*}' ? '[^/]+' : part === '{**}' ? '(?s:.*)' : quoted(part))).join('');
}

function quoted(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

/** Whether any value of the field matches. An absent `value` matches nothing; an empty one nothing but `any`. */
export function matchesAny(matcher: StringMatcher, value: string | undefined): boolean {
  if (value === undefined) return false;
  if (value === '') return matcher.patterns.some(({ kind }) => kind === 'any');
  if (matcher.exact.has(value)) return true;
  for (const pattern of matcher.patterns) if (matchesPattern(pattern, value)) return true;
  return false;
}

function matchesPattern(pattern: StringPattern, value: string): boolean {
  switch (pattern.kind) {
    case 'regex':
      return pattern.regex.matches(value);
    case 'presence':
    case 'any':
      return true;
    case 'ignoring_case':
      return matchesText(pattern.lower, value.toLowerCase());
    case 'exact':
    case 'prefix':
    case 'suffix':
    case 'contains':
      return matchesText(pattern, value);
  }
}

function matchesText(pattern: TextPattern, value: string): boolean {
  switch (pattern.kind) {
    case 'exact':
      return value === pattern.value;
    case 'prefix':
      return value.startsWith(pattern.value);
    case 'suffix':
      return value.endsWith(pattern.value);
    case 'contains':
      return value.includes(pattern.value);
  }
}
