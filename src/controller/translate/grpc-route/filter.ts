import type { RouteFilter } from '#shared/route/route-filter.ts';
import type { Fields } from '../decode.ts';
import { readMirror } from '../gateway-route/mirror.ts';
import type { RouteContext } from '../gateway-route/route-context.ts';
import { NO_HEADER_CHANGE, readFilterBody, readHeaderChange } from '../gateway-route/header-modifier.ts';

const TYPES = ['RequestHeaderModifier', 'ResponseHeaderModifier', 'RequestMirror', 'ExtensionRef'] as const;

/** Filters of a rule. One that is not supported rejects the route: leaving it out would do less than was asked for. */
export function readGrpcFilters(rule: Fields, context: RouteContext): readonly RouteFilter[] {
  const seen = new Set<string>();
  return rule
    .objects('filters', fields => readFilter(fields, seen, context))
    .filter(filter => filter !== undefined);
}

/** Filters of a backend: the same, as far as they change headers. */
export function readGrpcBackendFilters(backend: Fields, context: RouteContext): readonly RouteFilter[] {
  const filters = readGrpcFilters(backend, context);
  if (filters.some(({ kind }) => kind === 'mirror'))
    backend.reject('filters', 'can only change headers here', 'move other filters to the rule');
  return filters;
}

function readFilter(fields: Fields, seen: Set<string>, context: RouteContext): RouteFilter | undefined {
  const type = fields.oneOf('type', TYPES);
  if (type === undefined) {
    fields.requiredString('type');
    return undefined;
  }
  // A call may be copied to several.
  if (seen.has(type) && type !== 'RequestMirror')
    fields.reject('type', 'comes twice in one list of filters', 'put both into one filter');
  seen.add(type);
  switch (type) {
    case 'RequestHeaderModifier':
      return {
        kind: 'request_headers',
        change: readFilterBody(fields, 'requestHeaderModifier', readHeaderChange, NO_HEADER_CHANGE),
      };
    case 'ResponseHeaderModifier':
      return {
        kind: 'response_headers',
        change: readFilterBody(fields, 'responseHeaderModifier', readHeaderChange, NO_HEADER_CHANGE),
      };
    case 'RequestMirror':
      return readMirror(fields, context);
    case 'ExtensionRef':
      fields.reject('type', `filters of type ${type} are not supported`, 'remove the filter');
      fields.has(type.charAt(0).toLowerCase() + type.slice(1));
      return undefined;
  }
}
