import type { RequestHead } from '#shared/http/exchange.ts';
import { getHeader, removeHeader } from '#shared/http/headers.ts';
import { isConnect } from '#shared/http/tunnel.ts';
import type { RouteFound } from '#shared/route/compiled-match.ts';
import { applyHeaderChange, modifyPath, redirectLocation } from '#shared/route/filters.ts';
import type { DirectResponse, HeaderChange, RouteFilter } from '#shared/route/route-filter.ts';
import type { FilterResponse } from './filter-response.ts';

export interface FilterOutcome {
  /** The waypoint answers by itself. */
  readonly response: FilterResponse | undefined;
  /** To be made to the response, in this order. */
  readonly responseChanges: readonly HeaderChange[];
}

export const NOTHING: FilterOutcome = Object.freeze({ response: undefined, responseChanges: [] });

/** Changes the request as the filters of a rule or a backend say, in place, in their order. Filters of other kinds are not for here. */
export function applyChanges(
  filters: readonly RouteFilter[],
  request: RequestHead,
  servicePort: number,
  match: RouteFound['match'],
): FilterOutcome {
  if (filters.length === 0) return NOTHING;
  const responseChanges: HeaderChange[] = [];
  let response: FilterResponse | undefined;
  for (const filter of filters) {
    switch (filter.kind) {
      case 'request_headers':
        changeRequest(filter.change, request);
        break;
      case 'response_headers':
        responseChanges.push(filter.change);
        break;
      case 'rewrite':
        if (isConnect(request)) break;
        if (filter.rewrite.hostname !== undefined) request.authority = filter.rewrite.hostname;
        if (filter.rewrite.path !== undefined)
          request.path = modifyPath(request.path, filter.rewrite.path, match?.path);
        break;
      case 'redirect': {
        const location = redirectLocation(filter.redirect, request, servicePort, match?.path);
        response ??= answer(filter.redirect.status, ['location', location], '');
        break;
      }
      case 'direct_response':
        response ??= direct(filter);
        break;
      default:
        break;
    }
  }
  return { response, responseChanges };
}

function direct({ body, headers, status }: DirectResponse): FilterResponse {
  const fields = headers.flatMap(({ name, value }) => [name, value]);
  if (body !== '' && getHeader(fields, 'content-type') === undefined)
    fields.push('content-type', 'text/plain');
  return answer(status, fields, body);
}

function answer(status: number, headers: string[], body: string): FilterResponse {
  return { head: { status, headers, contentLength: Buffer.byteLength(body) }, body };
}

/** `Host` in a change means the authority, which no list holds. That of a CONNECT stays: it is where its tunnel leads. */
function changeRequest(change: HeaderChange, request: RequestHead): void {
  applyHeaderChange(change, request.headers);
  for (const name of ['host', ':authority']) {
    const host = getHeader(request.headers, name);
    if (host === undefined) continue;
    if (!isConnect(request)) request.authority = host;
    removeHeader(request.headers, name);
  }
}
