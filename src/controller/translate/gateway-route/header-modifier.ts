import type { HeaderChange } from '#shared/route/route-filter.ts';
import type { Fields } from '../decode.ts';
import { headerChange } from '../http-headers.ts';

export const NO_HEADER_CHANGE: HeaderChange = Object.freeze({ set: [], add: [], remove: [] });

/** `HTTPHeaderFilter`, which every kind of route that has headers shares. */
export function readHeaderChange(fields: Fields): HeaderChange {
  const pair = (item: Fields) => ({ name: item.requiredString('name'), value: item.string('value') ?? '' });
  const set = fields.objects('set', pair);
  const add = fields.objects('add', pair);
  return headerChange(fields, 'set', { set, add, remove: fields.strings('remove') });
}

/** What a filter's `type` says is in it. @returns `missing` when it is not, which is reported */
export function readFilterBody<T>(fields: Fields, key: string, read: (body: Fields) => T, missing: T): T {
  const body = fields.object(key, read);
  if (body === undefined && !fields.has(key))
    fields.reject(key, 'is required for this type of filter', `set ${fields.at(key)}`);
  return body ?? missing;
}
