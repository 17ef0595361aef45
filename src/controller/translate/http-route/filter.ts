import type { RouteMatch } from '#shared/route/model.ts';
import type { PathModifier, Redirect, Rewrite, RouteFilter } from '#shared/route/route-filter.ts';
import type { Fields } from '../decode.ts';
import { readCommonFilter, readFilterType } from '../gateway-route/common-filter.ts';
import { readFilterBody } from '../gateway-route/header-modifier.ts';
import type { RouteContext } from '../gateway-route/route-context.ts';
import { collectFilters, type ReadFilter, type ReadFilters } from '../gateway-route/unresolved-filter.ts';
import { readExternalAuth } from './external-auth.ts';
import { readCors } from './cors.ts';

const TYPES = [
  'RequestHeaderModifier',
  'ResponseHeaderModifier',
  'RequestRedirect',
  'URLRewrite',
  'RequestMirror',
  'CORS',
  'ExternalAuth',
  'ExtensionRef',
] as const;

/** Filters of a rule. One of an unknown type rejects the route: leaving it out would do less than was asked for. */
export function readFilters(
  rule: Fields,
  matches: readonly RouteMatch[],
  context: RouteContext,
): ReadFilters {
  const seen = new Set<string>();
  const filters = rule.objects('filters', fields => readFilter(fields, matches, seen, context));
  if (seen.has('RequestRedirect') && seen.has('URLRewrite')) {
    rule.reject('filters', 'cannot hold both a RequestRedirect and a URLRewrite', 'remove one of the two');
  }
  return collectFilters(filters);
}

/** Filters of a backend: only those that change headers (Gateway API core). */
export function readBackendFilters(backend: Fields, context: RouteContext): ReadFilters {
  const read = readFilters(backend, [], context);
  if (read.filters.some(filter => filter.kind !== 'request_headers' && filter.kind !== 'response_headers')) {
    backend.reject('filters', 'can only change headers here', 'move other filters to the rule');
  }
  return read;
}

function readFilter(
  fields: Fields,
  matches: readonly RouteMatch[],
  seen: Set<string>,
  context: RouteContext,
): ReadFilter {
  const type = readFilterType(fields, TYPES, seen);
  switch (type) {
    case undefined:
      return undefined;
    case 'RequestRedirect':
      return readRedirectFilter(fields, matches);
    case 'URLRewrite':
      return {
        kind: 'rewrite',
        rewrite: readFilterBody(fields, 'urlRewrite', rewrite => readRewrite(rewrite, matches), NO_REWRITE),
      };
    case 'CORS':
      return readFilterBody<RouteFilter | undefined>(fields, 'cors', readCors, undefined);
    case 'ExternalAuth':
      return readExternalAuth(fields, context);
    default:
      return readCommonFilter(type, fields, context);
  }
}

const NO_REDIRECT: Redirect = {
  scheme: undefined,
  hostname: undefined,
  port: undefined,
  path: undefined,
  status: 302,
};
const NO_REWRITE: Rewrite = { hostname: undefined, path: undefined };

/** @param matches of the rule: a prefix can be replaced where each of them has one */
export function readRedirectFilter(fields: Fields, matches: readonly RouteMatch[]): RouteFilter {
  const read = (redirect: Fields): Redirect => readRedirect(redirect, matches);
  return { kind: 'redirect', redirect: readFilterBody(fields, 'requestRedirect', read, NO_REDIRECT) };
}

function readRedirect(fields: Fields, matches: readonly RouteMatch[]): Redirect {
  return {
    scheme: fields.oneOf('scheme', ['http', 'https']),
    hostname: fields.string('hostname'),
    port: fields.port('port'),
    path: fields.object('path', path => readPathModifier(path, matches)),
    status: readStatus(fields),
  };
}

const REDIRECT_STATUS = [301, 302, 303, 307, 308];

function readStatus(fields: Fields): number {
  const status = fields.integer('statusCode', 300, 399) ?? 302;
  if (!REDIRECT_STATUS.includes(status)) {
    fields.reject(
      'statusCode',
      'is no status a redirect can have',
      `use one of ${REDIRECT_STATUS.join(', ')}`,
    );
  }
  return status;
}

function readRewrite(fields: Fields, matches: readonly RouteMatch[]): Rewrite {
  return {
    hostname: fields.string('hostname'),
    path: fields.object('path', path => readPathModifier(path, matches)),
  };
}

function readPathModifier(fields: Fields, matches: readonly RouteMatch[]): PathModifier | undefined {
  const type = fields.oneOf('type', ['ReplaceFullPath', 'ReplacePrefixMatch']);
  const full = fields.string('replaceFullPath');
  const prefix = fields.string('replacePrefixMatch');
  if (type === undefined) fields.requiredString('type');
  const value = type === 'ReplacePrefixMatch' ? prefix : full;
  const other = type === 'ReplacePrefixMatch' ? full : prefix;
  if (value === undefined || other !== undefined) {
    fields.reject(
      'type',
      'does not go with the value that is set',
      'set replaceFullPath or replacePrefixMatch accordingly',
    );
    return undefined;
  }
  if (type === 'ReplacePrefixMatch' && matches.some(match => match.path?.kind !== 'prefix')) {
    fields.reject(
      'replacePrefixMatch',
      'needs matches of type PathPrefix only',
      'use ReplaceFullPath or change the matches',
    );
  }
  return { kind: type === 'ReplacePrefixMatch' ? 'prefix' : 'full', value };
}
