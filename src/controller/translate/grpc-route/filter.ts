import type { RouteFilter } from '#shared/route/route-filter.ts';
import type { Fields } from '../decode.ts';
import { NO_HEADER_CHANGE, readFilterBody, readHeaderChange } from '../gateway-route/header-modifier.ts';

const TYPES = ['RequestHeaderModifier', 'ResponseHeaderModifier', 'RequestMirror', 'ExtensionRef'] as const;

/** Filters of a rule. One that is not supported rejects the route: leaving it out would do less than was asked for. */
export function readGrpcFilters(rule: Fields): readonly RouteFilter[] {
  const seen = new Set<string>();
  return rule.objects('filters', fields => readFilter(fields, seen)).filter(filter => filter !== undefined);
}

/** Filters of a backend: the same, as far as they change headers. */
export function readGrpcBackendFilters(backend: Fields): readonly RouteFilter[] {
  return readGrpcFilters(backend);
}

function readFilter(fields: Fields, seen: Set<string>): RouteFilter | undefined {
  const type = fields.oneOf('type', TYPES);
  if (type === undefined) {
    fields.requiredString('type');
    return undefined;
  }
  if (seen.has(type)) fields.reject('type', 'comes twice in one list of filters', 'put both into one filter');
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
    case 'ExtensionRef':
      fields.reject('type', `filters of type ${type} are not supported`, 'remove the filter');
      fields.has(type.charAt(0).toLowerCase() + type.slice(1));
      return undefined;
  }
}
