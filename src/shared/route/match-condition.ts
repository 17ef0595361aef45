import type { RoutedRequest } from './compiled-match.ts';
import type { RequestCondition, ResponseCondition } from './condition.ts';
import type { PathMatch } from './model.ts';
import { pathOf } from './path.ts';
import { compileRegex, MATCHES_NOTHING, type SafeRegex } from './regex/regex.ts';
import { type CompiledValue, compileValue, matchesHeader, matchesQuery } from './value-match.ts';

/** A `RequestCondition` with its patterns compiled. */
export type CompiledCondition =
  | { readonly kind: 'path'; readonly path: PathMatch; readonly regex: SafeRegex }
  | { readonly kind: 'header' | 'query'; readonly value: CompiledValue }
  | { readonly kind: 'all' | 'any'; readonly of: readonly CompiledCondition[] }
  | { readonly kind: 'not'; readonly condition: CompiledCondition };

export function compileCondition(condition: RequestCondition): CompiledCondition {
  switch (condition.kind) {
    case 'path':
      return { kind: 'path', path: foldedPath(condition.path), regex: compilePathRegex(condition.path) };
    case 'header':
      return { kind: 'header', value: compileValue(condition.header) };
    case 'query':
      return { kind: 'query', value: compileValue(condition.query) };
    case 'all':
    case 'any':
      return { kind: condition.kind, of: condition.of.map(compileCondition) };
    case 'not':
      return { kind: 'not', condition: compileCondition(condition.condition) };
  }
}

/** A pattern the boundary should have refused matches nothing. */
export function compilePathRegex(path: PathMatch): SafeRegex {
  if (path.kind !== 'regex') return MATCHES_NOTHING;
  const result = compileRegex(path.ignoreCase ? `(?i)${path.value}` : path.value);
  return result.ok ? result.regex : MATCHES_NOTHING;
}

/** The depth is bounded where the condition was read. */
export function matchesCondition(condition: CompiledCondition, request: RoutedRequest): boolean {
  switch (condition.kind) {
    case 'path':
      return matchesPath(condition.path, condition.regex, pathOf(request.path));
    case 'header':
      return matchesHeader(condition.value, request);
    case 'query':
      return matchesQuery(condition.value, request.path);
    case 'all':
      for (const part of condition.of) if (!matchesCondition(part, request)) return false;
      return true;
    case 'any':
      for (const part of condition.of) if (matchesCondition(part, request)) return true;
      return false;
    case 'not':
      return !matchesCondition(condition.condition, request);
  }
}

function foldedPath(path: PathMatch): PathMatch {
  const value = path.kind === 'prefix' ? path.value.replace(/\/+$/, '') : path.value;
  return { ...path, value: path.ignoreCase && path.kind !== 'regex' ? value.toLowerCase() : value };
}

function matchesPath(match: PathMatch, regex: SafeRegex, path: string): boolean {
  const compared = match.ignoreCase && match.kind !== 'regex' ? path.toLowerCase() : path;
  switch (match.kind) {
    case 'exact':
      return compared === match.value;
    case 'prefix':
      return (
        compared.startsWith(match.value) &&
        (compared.length === match.value.length || compared.charAt(match.value.length) === '/')
      );
    case 'string_prefix':
      return compared.startsWith(match.value);
    case 'regex':
      return regex.matches(path);
  }
}

/** Whether a response is of the class a condition describes. */
export function matchesResponse(condition: ResponseCondition, status: number): boolean {
  switch (condition.kind) {
    case 'status':
      return status >= condition.min && status <= condition.max;
    case 'all':
      for (const part of condition.of) if (!matchesResponse(part, status)) return false;
      return true;
    case 'any':
      for (const part of condition.of) if (matchesResponse(part, status)) return true;
      return false;
    case 'not':
      return !matchesResponse(condition.condition, status);
  }
}
