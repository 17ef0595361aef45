import type { RequestCondition } from './condition.ts';
import type { PathMatch, RouteMatch, ValueMatch } from './model.ts';
import { compileRegex } from './regex/regex.ts';

/**
 * A CONNECT (RFC 9110 §9.3.6) is taken by matches alone that name its method: no policy sees what its tunnel carries, so a
 * rule for every request, or for every method by some pattern, does not mean it. It has neither path nor query.
 */
export function namesConnect({ condition, headers, method }: RouteMatch): boolean {
  return method === 'CONNECT' || headers.some(asksConnect) || (condition !== undefined && isIn(condition));
}

function isIn(condition: RequestCondition): boolean {
  switch (condition.kind) {
    case 'header':
      return asksConnect(condition.header);
    case 'all':
    case 'any':
      return condition.of.some(isIn);
    case 'path':
    case 'query':
    case 'not':
      return false;
  }
}

function asksConnect({ kind, name, value }: ValueMatch): boolean {
  return name === ':method' && kind === 'exact' && value === 'CONNECT';
}

/** Where every path begins: what dialects write, or fill in, where any path is meant. */
export function isRoot({ kind, value }: PathMatch): boolean {
  return (kind === 'prefix' || kind === 'string_prefix') && value === '/';
}

/** Whether what a match asks of the path holds where there is none. */
export function holdsWithoutPath(path: PathMatch): boolean {
  if (path.kind !== 'regex') return isRoot(path);
  const compiled = compileRegex(path.value);
  return compiled.ok && compiled.regex.matches('');
}
