import { hostOf } from '../authz/request.ts';
import { addHeader, removeHeader, setHeader, type HeaderList } from '../http/headers.ts';
import type { PathMatch } from './model.ts';
import type { HeaderChange, PathModifier, Redirect } from './route-filter.ts';
import { pathEnd } from './path.ts';
import { compileReplacement, type RegexReplacement } from './regex/replace.ts';

/** Removes, then sets, then adds, in place. Names in `change` are lower case. */
export function applyHeaderChange(change: HeaderChange, headers: HeaderList): void {
  for (const name of change.remove) removeHeader(headers, name);
  for (const { name, value } of change.set) setHeader(headers, name, value);
  for (const { name, value } of change.add) addHeader(headers, name, value);
}

/**
 * The request target with its path changed and its query kept.
 *
 * @param match the path match that led to the rule: `prefix` replaces what it matched. Where it is no prefix match
 * (Istio allows a rewrite there), the whole path is replaced.
 */
export function modifyPath(target: string, modifier: PathModifier, match: PathMatch | undefined): string {
  const end = pathEnd(target);
  const query = target.slice(end);
  if (modifier.kind === 'regex')
    return rooted(replacementOf(modifier).replaceAll(target.slice(0, end))) + query;
  if (modifier.kind === 'full' || (match?.kind !== 'prefix' && match?.kind !== 'string_prefix')) {
    return rooted(modifier.value) + query;
  }
  const matched = match.kind === 'prefix' ? match.value.replace(/\/+$/, '').length : match.value.length;
  return joinPath(modifier.value, target.slice(matched, end)) + query;
}

const replacements = new WeakMap<PathModifier, RegexReplacement>();

/** Compiled when it is first needed, and kept as long as its route. */
function replacementOf(modifier: Extract<PathModifier, { kind: 'regex' }>): RegexReplacement {
  let known = replacements.get(modifier);
  if (known === undefined) {
    const result = compileReplacement(modifier.pattern, modifier.value);
    // The boundary refuses what does not compile.
    known = result.ok ? result.replacement : { replaceAll: text => text };
    replacements.set(modifier, known);
  }
  return known;
}

/** `/xyz/` and `/bar` make `/xyz/bar`; nothing at all makes `/`. */
function joinPath(prefix: string, rest: string): string {
  if (rest.startsWith('/')) return rooted(prefix.replace(/\/+$/, '') + rest);
  return rooted(prefix + rest);
}

function rooted(path: string): string {
  return path.startsWith('/') ? path : `/${path}`;
}

export interface RedirectedRequest {
  readonly scheme: string;
  readonly authority: string;
  readonly path: string;
}

/**
 * The `Location` of a redirect. As Gateway API says: without a port, a given scheme means its well-known port, else the
 * port the request came to (`servicePort`); a scheme's well-known port is left out.
 */
export function redirectLocation(
  redirect: Redirect,
  request: RedirectedRequest,
  servicePort: number,
  match: PathMatch | undefined,
): string {
  const scheme = redirect.scheme ?? (request.scheme === '' ? 'http' : request.scheme);
  const host = redirect.hostname ?? hostOf(request.authority);
  const wellKnown = wellKnownPort(scheme);
  const port = redirect.port ?? (redirect.scheme === undefined ? servicePort : wellKnown);
  const suffix = port === undefined || port === wellKnown ? '' : `:${port}`;
  const path = redirect.path === undefined ? request.path : modifyPath(request.path, redirect.path, match);
  return `${scheme}://${host}${suffix}${path}`;
}

function wellKnownPort(scheme: string): number | undefined {
  return scheme === 'http' ? 80 : scheme === 'https' ? 443 : undefined;
}
