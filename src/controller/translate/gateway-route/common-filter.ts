import type { RouteFilter } from '#shared/route/route-filter.ts';
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
type HeaderFilter = 'RequestHeaderModifier' | 'ResponseHeaderModifier';

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

export function readHeaderFilter(
  type: HeaderFilter,
  fields: Fields,
): Extract<RouteFilter, { kind: 'request_headers' | 'response_headers' }> {
  const [kind, body] =
    type === 'RequestHeaderModifier'
      ? (['request_headers', 'requestHeaderModifier'] as const)
      : (['response_headers', 'responseHeaderModifier'] as const);
  return { kind, change: readFilterBody(fields, body, readHeaderChange, NO_HEADER_CHANGE) };
}

export function readCommonFilter(type: CommonFilter, fields: Fields, context: RouteContext): ReadFilter {
  switch (type) {
    case 'RequestHeaderModifier':
    case 'ResponseHeaderModifier':
      return readHeaderFilter(type, fields);
    case 'RequestMirror':
      return readMirror(fields, context);
    case 'ExtensionRef':
      return readExtensionRef(fields, context);
  }
}
