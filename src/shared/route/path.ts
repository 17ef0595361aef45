/**
 * What is made of paths (Istio's `pathNormalization` of the mesh). `merge_slashes`: repeated slashes are one, in the end;
 * `decode_and_merge_slashes`: `%2F` and `%5C` are slashes before anything else.
 */
export type PathNormalization = 'base' | 'merge_slashes' | 'decode_and_merge_slashes';

/**
 * The path of a request target, without query and fragment, in the normal form policies and routes compare: RFC 3986
 * unreserved characters percent-decoded once, `\` as `/`, dot segments resolved (Istio's path normalization BASE).
 * `%2F` and repeated slashes stay as they are, unless told otherwise.
 *
 * A path that is normal already is returned as is, without a copy when it has no query.
 * @returns undefined when the path holds an encoded or raw NUL, or a `..` that is hidden from who does not decode slashes
 *   or knows nothing of parameters (`/public/..%2fadmin`, `/public/..;/admin`): such a request is to be refused with 400.
 */
export function normalizePath(target: string, how: PathNormalization = 'base'): string | undefined {
  const path = pathOf(target);
  const merges = how !== 'base';
  if (!needsWork(path) && !(merges && path.includes('//'))) return path;
  if (/%00|\0/.test(path)) return undefined;
  const written = how === 'decode_and_merge_slashes' ? path.replace(/%2f|%5c/gi, '/') : path;
  const decoded = decodeUnreserved(written).replaceAll('\\', '/');
  if (HIDDEN_PARENT.test(decoded)) return undefined;
  const normal = removeDotSegments(decoded);
  return merges ? normal.replace(/\/{2,}/g, '/') : normal;
}

/**
 * A normal path as servers read it that decode slashes, merge them, and leave parameters of segments out
 * (`//admin`, `/%2fadmin`, `/admin;x/users`). Policies that deny compare it as well: which of both their server reads, they
 * do not know.
 * @returns undefined: as it stands
 */
export function lenientPath(path: string): string | undefined {
  if (!/;|\/\/|%2f|%5c/i.test(path) || !path.startsWith('/')) return undefined;
  const plain = path.replace(/%2f|%5c/gi, '/').replace(/;[^/]*/g, '');
  return removeDotSegments(plain.replace(/\/{2,}/g, '/'));
}

/** The same request target with its path normalized and its query kept. */
export function normalizeTarget(target: string, how: PathNormalization = 'base'): string | undefined {
  const end = pathEnd(target);
  const path = normalizePath(target, how);
  if (path === undefined || path.length === target.length) return path;
  return path + target.slice(end);
}

/** Index just after the path: the first `?` or `#`, or the length. */
export function pathEnd(target: string): number {
  const query = target.indexOf('?');
  const fragment = target.indexOf('#');
  if (query < 0) return fragment < 0 ? target.length : fragment;
  return fragment < 0 ? query : Math.min(query, fragment);
}

export function pathOf(target: string): string {
  const end = pathEnd(target);
  return end === target.length ? target : target.slice(0, end);
}

function needsWork(path: string): boolean {
  return path.includes('%') || path.includes('\\') || path.includes('/.') || path.includes('\0');
}

/** Ends in a slash, an encoded one or parameters, of which one at least is not plain. */
const HIDDEN_PARENT = /(?:\/|%2f|%5c)\.\.(?:;|%2f|%5c)|(?:%2f|%5c)\.\.(?:\/|$)/i;
const UNRESERVED = /[A-Za-z0-9\-._~]/;

function decodeUnreserved(path: string): string {
  return path.replace(/%([0-9A-Fa-f]{2})/g, (encoded, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return UNRESERVED.test(character) ? character : encoded;
  });
}

/** RFC 3986 §5.2.4 for a path that starts with `/`; `..` above the root stays at the root. */
function removeDotSegments(path: string): string {
  if (!path.startsWith('/')) return path;
  const kept: string[] = [];
  const segments = path.split('/');
  const last = segments.length - 1;
  for (let i = 1; i <= last; i++) {
    const segment = segments[i] ?? '';
    if (segment === '..') kept.pop();
    else if (segment !== '.') kept.push(segment);
    // A dot segment at the end names a directory: its slash stays.
    if (i === last && (segment === '.' || segment === '..')) kept.push('');
  }
  return `/${kept.join('/')}`;
}
