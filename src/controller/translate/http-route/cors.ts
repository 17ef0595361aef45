import type { OriginMatch, RouteFilter } from '#shared/route/route-filter.ts';
import type { Fields } from '../decode.ts';

const ORIGIN = /^(\*|[a-z][a-z0-9+.-]*:\/\/(\*|(\*\.)?[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(:\d{1,5})?)$/;
const MAX_AGE_S = 2_147_483_647;
const DEFAULT_MAX_AGE_S = 5;

/** `CORS`: which pages of other origins may see the answers. A preflight that is not allowed gets an answer without headers. */
export function readCors(fields: Fields): RouteFilter {
  return {
    kind: 'cors',
    cors: {
      allowOrigins: fields.strings('allowOrigins').map(value => readOrigin(fields, value)),
      allowMethods: fields.strings('allowMethods'),
      allowHeaders: fields.strings('allowHeaders'),
      exposeHeaders: fields.strings('exposeHeaders'),
      maxAgeMs: 1000 * (fields.integer('maxAge', 1, MAX_AGE_S) ?? DEFAULT_MAX_AGE_S),
      allowCredentials: fields.boolean('allowCredentials') ?? false,
      unmatchedPreflights: 'answer',
    },
  };
}

function readOrigin(fields: Fields, value: string): OriginMatch {
  if (!ORIGIN.test(value))
    fields.reject(
      'allowOrigins',
      `holds "${value}", which is no origin`,
      'write https://a.example.com, or *',
    );
  return { kind: value.includes('*') ? 'wildcard' : 'exact', value };
}
