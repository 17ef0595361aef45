import type { PathMatch } from '#shared/route/model.ts';
import { normalizePath } from '#shared/route/path.ts';
import { compileRegex } from '#shared/route/regex/regex.ts';
import type { Fields } from './decode.ts';

/** Checks a path to match: requests are normalized first, so one that is not normal could never match. */
export function pathMatch(
  fields: Fields,
  key: string,
  kind: PathMatch['kind'],
  value: string,
  ignoreCase: boolean,
): PathMatch {
  if (kind === 'regex') checkRegex(fields, key, value);
  else checkPath(fields, key, value);
  return { kind, value, ignoreCase };
}

function checkPath(fields: Fields, key: string, value: string): void {
  if (!value.startsWith('/')) {
    fields.reject(key, 'is no absolute path', `begin it with "/", as in "/${value}"`);
    return;
  }
  const normal = normalizePath(value);
  if (normal !== value) {
    const fix = normal === undefined ? 'remove the NUL character' : `write "${normal}"`;
    fields.reject(
      key,
      'can never match: the path of a request is normalized, without query, before it is compared',
      fix,
    );
  }
}

export function checkRegex(fields: Fields, key: string, pattern: string): void {
  const result = compileRegex(pattern);
  if (!result.ok)
    fields.reject(key, `is no regular expression this mesh takes: ${result.reason}`, 'use RE2 syntax');
}
