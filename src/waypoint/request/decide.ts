import { evaluate } from '#shared/authz/evaluate.ts';
import { reportDryRun } from '#shared/authz/report-dry-run.ts';
import type { RequestHead } from '#shared/http/exchange.ts';
import { carriesRequests } from '#shared/http/upgrade-token.ts';
import type { RouteBackend, RouteRule } from '#shared/route/model.ts';
import type { HeaderChange } from '#shared/route/route-filter.ts';
import { normalizeTarget } from '#shared/route/path.ts';
import type { ServiceState } from '../services/service-state.ts';
import type { Downstream } from './environment.ts';
import type { RequestFailure } from './error-response.ts';
import { applyFilters, type FilterResponse } from './route-filters.ts';
import { ensureTraceparent } from './trace-headers.ts';

/** What is to be done with a request. `rule` is the one that matched, where it came so far. */
export type RequestDecision =
  | {
      readonly kind: 'fail';
      readonly failure: RequestFailure;
      readonly detail: string | undefined;
      readonly rule: RouteRule | undefined;
    }
  | {
      readonly kind: 'answer';
      readonly rule: RouteRule;
      readonly response: FilterResponse;
      readonly responseChanges: readonly HeaderChange[];
    }
  | {
      readonly kind: 'forward';
      readonly rule: RouteRule;
      readonly backend: RouteBackend;
      readonly target: ServiceState;
      readonly responseChanges: readonly HeaderChange[];
    };

/**
 * Authorizes and routes a request, and makes the route's changes to it, in place. Authorization comes first, on what the
 * client sent: who may not call a service does not learn which routes it has.
 */
export function decideRequest(downstream: Downstream, request: RequestHead): RequestDecision {
  const { upgrade } = request;
  if (upgrade === undefined ? request.method === 'CONNECT' : carriesRequests(upgrade))
    return fail('unsupported');
  if (request.path !== '*') {
    const path = normalizeTarget(request.path);
    if (path === undefined) return fail('bad_path');
    request.path = path;
  }
  const { authz, env, service } = downstream;
  const judged = asJudged(request);
  const decision = evaluate(service.policies, authz, judged);
  reportDryRun(env.logger, service.policies, decision, authz, service.name, judged);
  return decision.allowed ? route(downstream, service, request) : fail('denied', decision.reason);
}

/** An extended CONNECT is the GET it would be over HTTP/1.1, and that an upstream may get and answer as such (RFC 8441). */
function asJudged(
  request: RequestHead,
): Pick<RequestHead, 'method' | 'scheme' | 'path' | 'authority' | 'headers'> {
  if (request.method !== 'CONNECT') return request;
  const { scheme, path, authority, headers } = request;
  return { method: 'GET', scheme, path, authority, headers };
}

function route(downstream: Downstream, service: ServiceState, request: RequestHead): RequestDecision {
  const { caller, env, port } = downstream;
  const found = service.matcher.find(asJudged(request), port, caller);
  const routed = service.routes?.routed === true && service.matcher.hasRulesFor(port, caller);
  if (found === undefined && routed) return fail('no_route');
  const rule = found?.rule ?? service.defaultRule(port);
  ensureTraceparent(request.headers, env.random);
  if (request.authority === '') request.authority = service.service.hostname;
  const { response, responseChanges } = applyFilters(rule.filters, request, port, found?.match);
  if (response !== undefined) return { kind: 'answer', rule, response, responseChanges };
  const backend = env.split.pick(rule);
  if (backend?.service === undefined) return fail('no_backend', undefined, rule);
  const target = backend.service === service.name ? service : env.services.get(backend.service);
  if (target === undefined) return fail('unknown_service', `service ${backend.service} is not known`, rule);
  if (backend.filters.length === 0) return { kind: 'forward', rule, backend, target, responseChanges };
  const more = applyFilters(backend.filters, request, port, found?.match).responseChanges;
  return { kind: 'forward', rule, backend, target, responseChanges: [...responseChanges, ...more] };
}

function fail(failure: RequestFailure, detail?: string, rule?: RouteRule): RequestDecision {
  return { kind: 'fail', failure, detail, rule };
}
