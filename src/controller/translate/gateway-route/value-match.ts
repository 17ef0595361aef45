import type { ValueMatch } from '#shared/route/model.ts';
import type { Fields } from '../decode.ts';
import { headerName } from '../http-headers.ts';
import { checkRegex } from '../path-value.ts';

export function readHeaderMatches(fields: Fields): readonly ValueMatch[] {
  return firstOfEachName(fields.objects('headers', readHeader));
}

export function readQueryMatches(fields: Fields): readonly ValueMatch[] {
  return firstOfEachName(fields.objects('queryParams', readValue));
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
