import { ANY_REQUEST, PLAIN_RULE, type RouteMatch, type RouteRule } from '../route/model.ts';

/** A rule that matches everything and leads nowhere, with what a test is about put in. */
export function routeRule(over: Partial<RouteRule>): RouteRule {
  return { ...PLAIN_RULE, name: 'rule', ...over };
}

/** A match of every request, with what a test is about put in. */
export function routeMatch(over: Partial<RouteMatch>): RouteMatch {
  return { ...ANY_REQUEST, ...over };
}
