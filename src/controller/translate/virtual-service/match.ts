import { ANY_REQUEST, type PathMatch, type RouteMatch, type ValueMatch } from '#shared/route/model.ts';
import type { Fields } from '../decode.ts';
import { headerName } from '../http-headers.ts';
import { checkRegex, pathMatch } from '../path-value.ts';

/** A match with the conditions the model keeps by rule. */
export interface GuardedMatch {
  readonly port: number | undefined;
  /** Exact host name. */
  readonly host: string | undefined;
  readonly match: RouteMatch;
}

export function readMatches(route: Fields): readonly GuardedMatch[] {
  return route.objects('match', readMatch).flat();
}

function readMatch(fields: Fields): readonly GuardedMatch[] {
  fields.string('name');
  const ignoreCase = fields.boolean('ignoreUriCase') ?? false;
  const path = fields.object('uri', uri => readPath(uri, ignoreCase));
  const port = fields.port('port');
  const host = fields.object('authority', authority => readExact(authority, 'a host name'));
  const methods = fields.object('method', readMethods) ?? [undefined];
  const headers = readValues(fields, 'headers', true);
  const withoutHeaders = readValues(fields, 'withoutHeaders', true);
  const query = readValues(fields, 'queryParams', false);
  readGuardsNotSupported(fields);
  return methods.map(method => ({
    port,
    host,
    match: { ...ANY_REQUEST, path, method, headers, withoutHeaders, query },
  }));
}

/** Conditions that cannot be left out: the rule would take more requests than it is meant for. */
function readGuardsNotSupported(fields: Fields): void {
  fields.refused('sourceLabels', 'use headers, or an AuthorizationPolicy to tell sources apart');
  fields.refused('sourceNamespace', 'use headers, or an AuthorizationPolicy to tell sources apart');
  fields.refused('scheme', 'remove it; requests inside the mesh have the scheme http');
  if (fields.strings('gateways').some(gateway => gateway !== 'mesh')) {
    fields.reject('gateways', 'names gateways', 'remove the match or leave "mesh" only');
  }
  fields.unsupported('statPrefix', 'remove it');
}

type StringKind = 'exact' | 'prefix' | 'regex';

/** Istio's StringMatch: one of exact, prefix, regex. */
function readStringMatch(fields: Fields): { kind: StringKind; value: string } | undefined {
  const kinds = (['exact', 'prefix', 'regex'] as const).filter(kind => fields.has(kind));
  const [kind] = kinds;
  if (kinds.length > 1)
    fields.reject('exact', 'is set together with another kind of match', 'keep one of exact, prefix, regex');
  return kind === undefined ? undefined : { kind, value: fields.string(kind) ?? '' };
}

function readPath(fields: Fields, ignoreCase: boolean): PathMatch | undefined {
  const match = readStringMatch(fields);
  if (match === undefined) return undefined;
  const kind = match.kind === 'prefix' ? 'string_prefix' : match.kind;
  return pathMatch(fields, match.kind, kind, match.value, ignoreCase);
}

function readExact(fields: Fields, what: string): string | undefined {
  const match = readStringMatch(fields);
  if (match !== undefined && match.kind !== 'exact') {
    fields.reject(match.kind, `${what} can only be matched exactly`, 'use exact, one match for each');
  }
  return match?.value;
}

const METHOD_ALTERNATIVES = /^\(?[A-Z]+(?:\|[A-Z]+)*\)?$/;

/** `GET|HEAD` is how several methods are written. */
function readMethods(fields: Fields): readonly (string | undefined)[] {
  const match = readStringMatch(fields);
  if (match === undefined) return [undefined];
  if (match.kind === 'exact') return [match.value];
  if (match.kind === 'regex' && METHOD_ALTERNATIVES.test(match.value)) {
    return match.value.replace(/[()]/g, '').split('|');
  }
  fields.reject(
    match.kind,
    'a method can only be matched exactly',
    'use exact, or a regex of alternatives such as GET|HEAD',
  );
  return [];
}

/** A map from name to StringMatch; an empty one asks for presence. */
function readValues(fields: Fields, key: string, areHeaders: boolean): readonly ValueMatch[] {
  const read = (map: Fields): readonly ValueMatch[] =>
    map.keys().map(name => {
      const match = map.object(name, readStringMatchChecked);
      const shown = areHeaders ? headerName(map, name, name) : name;
      return match === undefined
        ? { name: shown, kind: 'present', value: '' }
        : { name: shown, kind: match.kind, value: match.value };
    });
  return fields.object(key, read) ?? [];
}

function readStringMatchChecked(fields: Fields): { kind: StringKind; value: string } | undefined {
  const match = readStringMatch(fields);
  if (match?.kind === 'regex') checkRegex(fields, 'regex', match.value);
  return match;
}
