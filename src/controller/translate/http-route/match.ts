import { ANY_REQUEST, type PathMatch, type RouteMatch } from '#shared/route/model.ts';
import { sayOfConnectMatch } from '../connect-rule.ts';
import type { Fields } from '../decode.ts';
import { readHeaderMatches, readQueryMatches } from '../gateway-route/value-match.ts';
import { pathMatch } from '../path-value.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'];

export function readMatch(fields: Fields): RouteMatch {
  const match: RouteMatch = {
    ...ANY_REQUEST,
    path: fields.object('path', readPath) ?? { kind: 'prefix', value: '/', ignoreCase: false },
    method: fields.oneOf('method', METHODS),
    headers: readHeaderMatches(fields),
    query: readQueryMatches(fields),
  };
  sayOfConnectMatch(fields, match, { path: 'path', query: 'queryParams' });
  return match;
}

function readPath(fields: Fields): PathMatch {
  const type = fields.oneOf('type', ['Exact', 'PathPrefix', 'RegularExpression']) ?? 'PathPrefix';
  const value = fields.string('value') ?? '/';
  const kind = type === 'Exact' ? 'exact' : type === 'PathPrefix' ? 'prefix' : 'regex';
  return pathMatch(fields, 'value', kind, value, false);
}
