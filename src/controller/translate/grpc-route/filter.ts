import type { Fields } from '../decode.ts';
import { COMMON_FILTERS, readCommonFilter, readFilterType } from '../gateway-route/common-filter.ts';
import type { RouteContext } from '../gateway-route/route-context.ts';
import { collectFilters, type ReadFilter, type ReadFilters } from '../gateway-route/unresolved-filter.ts';

/** Filters of a rule. One of an unknown type rejects the route: leaving it out would do less than was asked for. */
export function readGrpcFilters(rule: Fields, context: RouteContext): ReadFilters {
  const seen = new Set<string>();
  return collectFilters(rule.objects('filters', fields => readFilter(fields, seen, context)));
}

/** Filters of a backend: the same, as far as they change headers. */
export function readGrpcBackendFilters(backend: Fields, context: RouteContext): ReadFilters {
  const read = readGrpcFilters(backend, context);
  if (read.filters.some(({ kind }) => kind === 'mirror'))
    backend.reject('filters', 'can only change headers here', 'move other filters to the rule');
  return read;
}

function readFilter(fields: Fields, seen: Set<string>, context: RouteContext): ReadFilter {
  const type = readFilterType(fields, COMMON_FILTERS, seen);
  return type && readCommonFilter(type, fields, context);
}
