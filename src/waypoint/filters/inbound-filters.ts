import type { RequestHead } from '#shared/http/exchange.ts';
import type { RouteFound } from '#shared/route/compiled-match.ts';
import { redirectLocation } from '#shared/route/filters.ts';
import type { Redirect, RouteFilter } from '#shared/route/route-filter.ts';
import type { Downstream } from '../request/environment.ts';
import { applyChanges, type FilterOutcome, NOTHING } from './apply-changes.ts';
import { judgedRequest } from './judged-request.ts';

/** What servers behind the service do to a request, as they would get it by now: in place. */
export function applyInboundFilters(
  { caller, port, service }: Downstream,
  request: RequestHead,
): FilterOutcome {
  const found = service.inbound?.find(judgedRequest(request), port, caller);
  if (found === undefined || found.rule.filters.length === 0) return NOTHING;
  const { match, rule } = found;
  const filters = rule.filters.filter(filter => leadsElsewhere(filter, request, port, match));
  return applyChanges(filters, request, port, match);
}

/** A redirect to what was asked for would have its client go round in circles: Linkerd serves such a request. */
function leadsElsewhere(
  filter: RouteFilter,
  request: RequestHead,
  port: number,
  match: RouteFound['match'],
): boolean {
  if (filter.kind !== 'redirect') return true;
  const locationBy = (redirect: Redirect): string => redirectLocation(redirect, request, port, match?.path);
  return locationBy(filter.redirect) !== locationBy(NOWHERE_ELSE);
}

const NOWHERE_ELSE: Redirect = {
  scheme: undefined,
  hostname: undefined,
  port: undefined,
  path: undefined,
  status: 302,
};
