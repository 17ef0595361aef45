import type { HeaderChange, RouteFilter } from '#shared/route/route-filter.ts';
import type { Fields } from '../decode.ts';
import { headerChange } from '../http-headers.ts';

/** Consul's `requestHeaders` and `responseHeaders: {add, set, remove}`. */
export function readHeaderChanges(fields: Fields): readonly RouteFilter[] {
  const request = fields.object('requestHeaders', readChange);
  const response = fields.object('responseHeaders', readChange);
  const filters: RouteFilter[] = [];
  if (request !== undefined) filters.push({ kind: 'request_headers', change: request });
  if (response !== undefined) filters.push({ kind: 'response_headers', change: response });
  return filters;
}

function readChange(fields: Fields): HeaderChange {
  const pairs = (key: string) => [...fields.stringMap(key)].map(([name, value]) => ({ name, value }));
  return headerChange(fields, 'set', {
    set: pairs('set'),
    add: pairs('add'),
    remove: fields.strings('remove'),
  });
}
