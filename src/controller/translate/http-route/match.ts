import { ANY_REQUEST, type PathMatch, type RouteMatch, type ValueMatch } from '#shared/route/model.ts';
import type { Fields } from '../decode.ts';
import { headerName } from '../http-headers.ts';
import { checkRegex, pathMatch } from '../path-value.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'];

export function readMatch(fields: Fields): RouteMatch {
  return {
    ...ANY_REQUEST,
    path: fields.object('path', readPath) ?? { kind: 'prefix', value: '/', ignoreCase: false },
    method: fields.oneOf('method', METHODS),
    headers: firstOfEachName(fields.objects('headers', readHeader)),
    query: firstOfEachName(fields.objects('queryParams', readValue)),
  };
}

function readPath(fields: Fields): PathMatch {
  const type = fields.oneOf('type', ['Exact', 'PathPrefix', 'RegularExpression']) ?? 'PathPrefix';
  const value = fields.string('value') ?? '/';
  const kind = type === 'Exact' ? 'exact' : type === 'PathPrefix' ? 'prefix' : 'regex';
  return pathMatch(fields, 'value', kind, value, false);
}

function readHeader(fields: Fields): ValueMatch {
  const match = readValue(fields);
  return { ...match, name: match.name === '' ? '' : headerName(fields, 'name', match.name) };
}

function readValue(fields: Fields): ValueMatch {
  const type = fields.oneOf('type', ['Exact', 'RegularExpression']) ?? 'Exact';
  const name = fields.requiredString('name');
  const value = fields.requiredString('value');
  if (type === 'RegularExpression') checkRegex(fields, 'value', value);
  return { name, kind: type === 'Exact' ? 'exact' : 'regex', value };
}

/** Gateway API: of several entries with one name only the first counts. */
function firstOfEachName(list: readonly ValueMatch[]): readonly ValueMatch[] {
  return list.filter((match, index) => list.findIndex(other => other.name === match.name) === index);
}
