import type { StringMatch } from './policy.ts';

/** The values of one field, ready to compare: a hash lookup for exact values, a short scan for the rest. */
export interface StringMatcher {
  readonly exact: ReadonlySet<string>;
  readonly patterns: readonly StringMatch[];
}

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
  const patterns: StringMatch[] = [];
  for (const match of values) {
    if (match.kind === 'exact') exact.add(normalize(match.value));
    else if (match.kind === 'presence') patterns.push(match);
    else patterns.push({ kind: match.kind, value: normalize(match.value) });
  }
  return { exact, patterns };
}

/** Whether any value of the field matches. An absent or empty `value` matches nothing, `presence` included. */
export function matchesAny(matcher: StringMatcher, value: string | undefined): boolean {
  if (value === undefined || value === '') return false;
  if (matcher.exact.has(value)) return true;
  for (const pattern of matcher.patterns) if (matchesString(pattern, value)) return true;
  return false;
}

function matchesString(match: StringMatch, value: string): boolean {
  switch (match.kind) {
    case 'exact':
      return value === match.value;
    case 'prefix':
      return value.startsWith(match.value);
    case 'suffix':
      return value.endsWith(match.value);
    case 'presence':
      return true;
  }
}
