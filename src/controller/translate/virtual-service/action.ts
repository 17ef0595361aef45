import type { Redirect, RouteFilter } from '#shared/route/route-filter.ts';
import type { Fields } from '../decode.ts';

/** Longer texts belong into an application. */
const MAX_BODY_CHARS = 16 * 1024;

/** Redirect, rewrite and direct response of an `http` entry. */
export function readActions(fields: Fields): readonly RouteFilter[] {
  const filters: (RouteFilter | undefined)[] = [
    fields.object('rewrite', readRewrite),
    fields.object('redirect', readRedirect),
    fields.object('directResponse', readDirectResponse),
  ];
  if (fields.has('rewrite') && fields.has('redirect')) {
    fields.reject('rewrite', 'cannot be together with redirect', 'remove one of the two');
  }
  return filters.filter(filter => filter !== undefined);
}

function readRewrite(fields: Fields): RouteFilter {
  const uri = fields.string('uri');
  fields.refused('uriRegexRewrite', 'use uri with a prefix match');
  return {
    kind: 'rewrite',
    rewrite: {
      hostname: fields.string('authority'),
      path: uri === undefined ? undefined : { kind: 'prefix', value: uri },
    },
  };
}

function readRedirect(fields: Fields): RouteFilter {
  const uri = fields.string('uri');
  if (uri?.includes('%') === true)
    fields.reject('uri', 'holds a variable, which is not supported', 'write the whole path');
  const scheme = fields.oneOf('scheme', ['http', 'https']);
  const authority = fields.string('authority');
  const { hostname, port } = splitAuthority(authority);
  const status = fields.integer('redirectCode', 300, 308) ?? 301;
  const redirect: Redirect = {
    scheme,
    hostname,
    port: fields.port('port') ?? port ?? derivedPort(fields, scheme, authority),
    path: uri === undefined ? undefined : { kind: 'full', value: uri },
    status,
  };
  return { kind: 'redirect', redirect };
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

function readDirectResponse(fields: Fields): RouteFilter {
  const status = fields.integer('status', 200, 599);
  if (status === undefined && !fields.has('status'))
    fields.reject('status', 'is required', 'set the status to answer with');
  const body = fields.object('body', content => {
    content.refused('bytes', 'use string');
    return content.string('string');
  });
  if ((body?.length ?? 0) > MAX_BODY_CHARS) {
    fields.reject('body', `is longer than ${MAX_BODY_CHARS} characters`, 'shorten it');
  }
  return { kind: 'direct_response', status: status ?? 200, body: body ?? '', headers: [] };
}
