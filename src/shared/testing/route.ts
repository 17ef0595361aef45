import type { RouteMatch, RouteRule } from '../route/model.ts';

/** A rule that matches everything and leads nowhere, with what a test is about put in. */
export function routeRule(over: Partial<RouteRule>): RouteRule {
  return {
    name: 'rule',
    ports: [],
    consumer: undefined,
    hosts: [],
    matches: [],
    filters: [],
    backends: [],
    timeouts: { requestMs: undefined, backendRequestMs: undefined },
    retry: undefined,
    ...over,
  };
}

/** A match of every request, with what a test is about put in. */
export function routeMatch(over: Partial<RouteMatch>): RouteMatch {
  return { path: undefined, method: undefined, headers: [], withoutHeaders: [], query: [], ...over };
}
