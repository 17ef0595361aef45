import type { PathModifier, Redirect, RouteFilter } from '#shared/route/route-filter.ts';
import { compileReplacement } from '#shared/route/regex/replace.ts';
import type { Fields } from '../decode.ts';

/** Longer texts belong into an application. */
const MAX_BODY_BYTES = 16 * 1024;

export function readRewrite(fields: Fields): RouteFilter {
  const uri = fields.string('uri');
  const regex = fields.object('uriRegexRewrite', readRegexRewrite);
  if (uri !== undefined && fields.has('uriRegexRewrite'))
    fields.reject('uri', 'cannot be together with uriRegexRewrite', 'keep the one you mean');
  const path: PathModifier | undefined =
    regex ?? (uri === undefined ? undefined : { kind: 'prefix', value: uri });
  return { kind: 'rewrite', rewrite: { hostname: fields.string('authority'), path } };
}

function readRegexRewrite(fields: Fields): PathModifier {
  const pattern = fields.requiredString('match');
  const value = fields.string('rewrite') ?? '';
  const compiled = compileReplacement(pattern, value);
  if (!compiled.ok && pattern !== '')
    fields.reject(
      'match',
      `cannot be used: ${compiled.reason}`,
      'use RE2 syntax, and \\1 for its first group',
    );
  return { kind: 'regex', pattern, value };
}

const PREFIX_VARIABLE = '%PREFIX()%';

export function readRedirect(fields: Fields): RouteFilter {
  const scheme = fields.oneOf('scheme', ['http', 'https']);
  const authority = fields.string('authority');
  const { hostname, port } = splitAuthority(authority);
  const status = readRedirectCode(fields);
  const redirect: Redirect = {
    scheme,
    hostname,
    port: fields.port('port') ?? port ?? derivedPort(fields, scheme, authority),
    path: redirectPath(fields),
    status,
  };
  if (fields.has('port') && fields.has('derivePort'))
    fields.reject('derivePort', 'cannot be together with port', 'keep the one you mean');
  return { kind: 'redirect', redirect };
}

const REDIRECT_STATUS: readonly number[] = [301, 302, 303, 307, 308];

function readRedirectCode(fields: Fields): number {
  const status = fields.integer('redirectCode', 0, 599) || 301;
  if (!REDIRECT_STATUS.includes(status))
    fields.reject('redirectCode', 'is no status of a redirect', `use one of ${REDIRECT_STATUS.join(', ')}`);
  return status;
}

/** `%PREFIX()%/new` replaces what the match's prefix matched, anything else the whole path. */
function redirectPath(fields: Fields): PathModifier | undefined {
  const uri = fields.string('uri');
  const prefix = fields.string('prefixRewrite');
  if (uri !== undefined && prefix !== undefined)
    fields.reject('prefixRewrite', 'cannot be together with uri', 'keep the one you mean');
  if (prefix !== undefined) return { kind: 'prefix', value: prefix };
  if (uri === undefined) return undefined;
  if (uri.startsWith(PREFIX_VARIABLE)) return { kind: 'prefix', value: uri.slice(PREFIX_VARIABLE.length) };
  if (/%[A-Z_]+\(/.test(uri))
    fields.reject('uri', 'holds a variable', `write the whole path, or begin it with ${PREFIX_VARIABLE}`);
  return { kind: 'full', value: uri };
}

/** In Istio a new authority without a port means none, unless `derivePort` says to keep the request's. */
function derivedPort(
  fields: Fields,
  scheme: string | undefined,
  authority: string | undefined,
): number | undefined {
  const derive = fields.oneOf('derivePort', ['FROM_PROTOCOL_DEFAULT', 'FROM_REQUEST_PORT']);
  if (derive === 'FROM_REQUEST_PORT' || (derive === undefined && authority === undefined)) return undefined;
  return scheme === 'https' ? 443 : 80;
}

function splitAuthority(authority: string | undefined): {
  hostname: string | undefined;
  port: number | undefined;
} {
  const [, hostname, port] = /^(.*[^:]):(\d{1,5})$/.exec(authority ?? '') ?? [];
  return hostname === undefined ? { hostname: authority, port: undefined } : { hostname, port: Number(port) };
}

export function readDirectResponse(fields: Fields): RouteFilter {
  const status = fields.integer('status', 200, 599);
  if (status === undefined && !fields.has('status'))
    fields.reject('status', 'is required', 'set the status to answer with');
  const body = fields.object('body', readBody) ?? '';
  if (Buffer.byteLength(body) > MAX_BODY_BYTES)
    fields.reject('body', `is longer than ${MAX_BODY_BYTES} bytes`, 'shorten it');
  return { kind: 'direct_response', status: status ?? 200, body, headers: [] };
}

function readBody(fields: Fields): string {
  const base64 = fields.string('bytes');
  if (base64 === undefined) return fields.string('string') ?? '';
  if (fields.has('string')) fields.reject('bytes', 'cannot be together with string', 'keep the one you mean');
  const bytes = Buffer.from(base64, 'base64');
  const text = bytes.toString('utf8');
  if (bytes.toString('base64').replace(/=+$/, '') !== base64.replace(/=+$/, ''))
    fields.reject('bytes', 'is no base64', 'use string, or encode the body');
  else if (!Buffer.from(text).equals(bytes))
    fields.reject('bytes', 'holds no UTF-8 text', 'let an application answer with binary data');
  return text;
}
