import type { OriginMatch, RouteFilter } from '#shared/route/route-filter.ts';
import type { Fields } from '../decode.ts';
import { checkRegex } from '../path-value.ts';
import { readStringMatch } from './string-match.ts';

export function readCors(fields: Fields): RouteFilter {
  const origins = fields.objects('allowOrigins', readOrigin).filter(origin => origin !== undefined);
  const older = fields.strings('allowOrigin').map(value => originMatch('exact', value));
  const unmatched = fields.oneOf('unmatchedPreflights', ['UNSPECIFIED', 'FORWARD', 'IGNORE']);
  const cors = {
    allowOrigins: origins.length > 0 ? origins : older,
    allowMethods: fields.strings('allowMethods'),
    allowHeaders: fields.strings('allowHeaders'),
    exposeHeaders: fields.strings('exposeHeaders'),
    maxAgeMs: fields.durationMs('maxAge', '24h'),
    allowCredentials: fields.boolean('allowCredentials') ?? false,
    unmatchedPreflights: unmatched === 'IGNORE' ? ('answer' as const) : ('forward' as const),
  };
  return { kind: 'cors', cors };
}

function readOrigin(fields: Fields): OriginMatch | undefined {
  const match = readStringMatch(fields);
  if (match === undefined) {
    fields.reject('exact', 'is required, or prefix, or regex', 'set one of them');
    return undefined;
  }
  if (match.kind === 'regex') checkRegex(fields, 'regex', match.value);
  return originMatch(match.kind, match.value);
}

function originMatch(kind: OriginMatch['kind'], value: string): OriginMatch {
  return kind === 'exact' && value === '*' ? { kind: 'wildcard', value } : { kind, value };
}
