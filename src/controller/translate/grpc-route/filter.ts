import type { Fields } from '../decode.ts';
import { readMirror } from '../gateway-route/mirror.ts';
import type { RouteContext } from '../gateway-route/route-context.ts';
import { NO_HEADER_CHANGE, readFilterBody, readHeaderChange } from '../gateway-route/header-modifier.ts';
import {
  collectFilters,
  readExtensionRef,
  type ReadFilter,
  type ReadFilters,
} from '../gateway-route/unresolved-filter.ts';

const TYPES = ['RequestHeaderModifier', 'ResponseHeaderModifier', 'RequestMirror', 'ExtensionRef'] as const;

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
  const type = fields.oneOf('type', TYPES);
  if (type === undefined) {
    fields.requiredString('type');
    return undefined;
  }
  // A call may be copied to several, and several extensions may be asked for.
  if (seen.has(type) && type !== 'RequestMirror' && type !== 'ExtensionRef')
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
      return readExtensionRef(fields, context);
  }
}
