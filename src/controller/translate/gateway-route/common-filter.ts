import type { Fields } from '../decode.ts';
import { NO_HEADER_CHANGE, readFilterBody, readHeaderChange } from './header-modifier.ts';
import { readMirror } from './mirror.ts';
import type { RouteContext } from './route-context.ts';
import { readExtensionRef, type ReadFilter } from './unresolved-filter.ts';

/** Types of filters that HTTPRoute and GRPCRoute share. */
export const COMMON_FILTERS = [
  'RequestHeaderModifier',
  'ResponseHeaderModifier',
  'RequestMirror',
  'ExtensionRef',
] as const;

type CommonFilter = (typeof COMMON_FILTERS)[number];

/** @param seen in the same list. @returns undefined where it is none of the types, which is reported */
export function readFilterType<const T extends string>(
  fields: Fields,
  types: readonly T[],
  seen: Set<string>,
): T | undefined {
  const type = fields.oneOf('type', types);
  if (type === undefined) {
    fields.requiredString('type');
    return undefined;
  }
  // A request may be copied to several, and several extensions may be asked for.
  if (seen.has(type) && type !== 'RequestMirror' && type !== 'ExtensionRef')
    fields.reject('type', 'comes twice in one list of filters', 'put both into one filter');
  seen.add(type);
  return type;
}

export function readCommonFilter(type: CommonFilter, fields: Fields, context: RouteContext): ReadFilter {
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
