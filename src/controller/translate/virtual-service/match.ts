import { ANY_REQUEST, type PathMatch, type RouteMatch, type ValueMatch } from '#shared/route/model.ts';
import { sayOfConnectMatch } from '../connect-rule.ts';
import type { Fields } from '../decode.ts';
import { headerName } from '../http-headers.ts';
import { checkRegex, pathMatch } from '../path-value.ts';
import { isLeftToGateways } from './for-mesh.ts';
import { readSource, type LabelledSource } from './source.ts';
import { readStringMatch, type StringMatchKind, type TextMatch } from './string-match.ts';

/** A match with the conditions the model keeps by rule. */
export interface GuardedMatch {
  readonly port: number | undefined;
  /** Exact host name. */
  readonly host: string | undefined;
  readonly match: RouteMatch;
}

/**
 * Undefined when there are matches and none is for the mesh: then the entry takes nothing. An empty list takes everything.
 *
 * @param labelled gets the sources asked for by labels.
 */
export function readMatches(route: Fields, labelled: LabelledSource[]): readonly GuardedMatch[] | undefined {
  const matches = route.objects('match', fields => readMatch(fields, labelled));
  const inMesh = matches.filter(match => match !== undefined);
  return matches.length > 0 && inMesh.length === 0 ? undefined : inMesh;
}

function readMatch(fields: Fields, labelled: LabelledSource[]): GuardedMatch | undefined {
  if (isLeftToGateways(fields)) return undefined;
  fields.string('name');
  const ignoreCase = fields.boolean('ignoreUriCase') ?? false;
  const path = fields.object('uri', uri => readPath(uri, ignoreCase));
  const port = fields.port('port');
  const { host, header: authority } = fields.object('authority', readAuthority) ?? NO_AUTHORITY;
  const { method, header: methodHeader } = fields.object('method', readMethod) ?? NO_METHOD;
  const scheme = fields.object('scheme', scheme => pseudoHeader(scheme, ':scheme'));
  const pseudo = [authority, methodHeader, scheme].filter(header => header !== undefined);
  const headers = [...pseudo, ...readValues(fields, 'headers', true)];
  const withoutHeaders = readValues(fields, 'withoutHeaders', true);
  const query = readValues(fields, 'queryParams', false);
  const source = readSource(fields, labelled);
  fields.unsupported('statPrefix', 'remove it; metrics name the route');
  const match = { ...ANY_REQUEST, path, method, headers, withoutHeaders, query, source };
  sayOfConnectMatch(fields, match, { path: 'uri', query: 'queryParams' });
  return { port, host, match };
}

function readPath(fields: Fields, ignoreCase: boolean): PathMatch | undefined {
  const match = readStringMatch(fields);
  if (match === undefined) return undefined;
  const kind = match.kind === 'prefix' ? 'string_prefix' : match.kind;
  // Istio: patterns say themselves whether case matters.
  return pathMatch(fields, match.kind, kind, match.value, ignoreCase && match.kind !== 'regex');
}

const NO_AUTHORITY: { host: string | undefined; header: ValueMatch | undefined } = {
  host: undefined,
  header: undefined,
};

/** A whole host name is compared without its port; anything else with the authority as it was sent, in lower case. */
function readAuthority(fields: Fields): typeof NO_AUTHORITY {
  const match = readStringMatch(fields);
  if (match === undefined) return NO_AUTHORITY;
  if (match.kind === 'exact' && !/:\d+$/.test(match.value)) return { host: match.value, header: undefined };
  const value = match.kind === 'regex' ? `(?i)${match.value}` : match.value;
  return { host: undefined, header: headerMatch(fields, ':authority', { kind: match.kind, value }) };
}

const NO_METHOD: { method: string | undefined; header: ValueMatch | undefined } = {
  method: undefined,
  header: undefined,
};

function readMethod(fields: Fields): typeof NO_METHOD {
  const match = readStringMatch(fields);
  if (match === undefined) return NO_METHOD;
  if (match.kind === 'exact') return { method: match.value, header: undefined };
  if (match.value.includes('CONNECT'))
    fields.ignore(match.kind, 'takes no CONNECT, which a pattern does not name', 'write exact: CONNECT');
  return { method: undefined, header: headerMatch(fields, ':method', match) };
}

function pseudoHeader(fields: Fields, name: string): ValueMatch | undefined {
  const match = readStringMatch(fields);
  return match && headerMatch(fields, name, match);
}

function headerMatch(fields: Fields, name: string, match: TextMatch): ValueMatch {
  if (match.kind === 'regex') checkRegex(fields, 'regex', match.value);
  return { name, kind: match.kind, value: match.value };
}

/** A map from name to StringMatch; an empty one asks for presence. */
function readValues(fields: Fields, key: string, areHeaders: boolean): readonly ValueMatch[] {
  const read = (map: Fields): readonly ValueMatch[] =>
    map.keys().map(name => {
      const match = map.object(name, readStringMatchChecked);
      const shown = areHeaders ? readHeaderName(map, name) : name;
      return match === undefined
        ? { name: shown, kind: 'present', value: '' }
        : { name: shown, kind: match.kind, value: match.value };
    });
  return fields.object(key, read) ?? [];
}

/** Istio's gateways know claims of a token as headers of their own; nothing else takes them. */
function readHeaderName(map: Fields, name: string): string {
  if (!name.startsWith('@request.auth.claims')) return headerName(map, name, name);
  map.reject(
    name,
    'is a claim of a token, by which gateways of Istio route and nobody else',
    'let outputClaimToHeaders of a RequestAuthentication write the claim into a header, and match that',
  );
  return name;
}

function readStringMatchChecked(fields: Fields): { kind: StringMatchKind; value: string } | undefined {
  const match = readStringMatch(fields);
  if (match?.kind === 'regex') checkRegex(fields, 'regex', match.value);
  return match;
}
