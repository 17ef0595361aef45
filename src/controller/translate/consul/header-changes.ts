import type { RouteFilter } from '#shared/route/route-filter.ts';
import type { Fields } from '../decode.ts';
import { readHeaderMaps } from '../http-headers.ts';

/** Consul's `requestHeaders` and `responseHeaders: {add, set, remove}`. */
export function readHeaderChanges(fields: Fields): readonly RouteFilter[] {
  const request = fields.object('requestHeaders', readHeaderMaps);
  const response = fields.object('responseHeaders', readHeaderMaps);
  const filters: RouteFilter[] = [];
  if (request !== undefined) filters.push({ kind: 'request_headers', change: request });
  if (response !== undefined) filters.push({ kind: 'response_headers', change: response });
  return filters;
}
