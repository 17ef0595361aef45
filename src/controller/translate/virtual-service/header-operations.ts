import type { HeaderChange, RouteFilter } from '#shared/route/route-filter.ts';
import type { Fields } from '../decode.ts';
import { readHeaderMaps } from '../http-headers.ts';

/** Istio's `headers: {request: {set, add, remove}, response: …}`. */
export function readHeaders(fields: Fields): readonly RouteFilter[] {
  return (
    fields.object('headers', headers => [
      ...(headers.object('request', readRequestChange) ?? []),
      ...(headers.object('response', readResponseChange) ?? []),
    ]) ?? []
  );
}

/** Setting `host` is Istio's other way to rewrite the authority. */
function readRequestChange(fields: Fields): readonly RouteFilter[] {
  const change = readHeaderMaps(fields);
  const isHost = ({ name }: { readonly name: string }): boolean => name === 'host';
  const hostname = change.set.find(isHost)?.value;
  if (change.add.some(isHost) || change.remove.includes('host')) {
    fields.reject('add', 'a request has exactly one host', 'use set to change it');
  }
  const rest = { ...change, set: change.set.filter(header => !isHost(header)) };
  const filters: RouteFilter[] = isEmpty(rest) ? [] : [{ kind: 'request_headers', change: rest }];
  if (hostname !== undefined) filters.push({ kind: 'rewrite', rewrite: { hostname, path: undefined } });
  return filters;
}

function readResponseChange(fields: Fields): readonly RouteFilter[] {
  const change = readHeaderMaps(fields);
  return isEmpty(change) ? [] : [{ kind: 'response_headers', change }];
}

function isEmpty(change: HeaderChange): boolean {
  return change.set.length + change.add.length + change.remove.length === 0;
}
