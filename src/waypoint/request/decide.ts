import { evaluate } from '#shared/authz/evaluate.ts';
import type { Decision } from '#shared/authz/decision.ts';
import { reportAudit } from '#shared/authz/report-audit.ts';
import { reportDryRun } from '#shared/authz/report-dry-run.ts';
import type { TokenIdentity } from '#shared/authz/token-identity.ts';
import type { RequestHead } from '#shared/http/exchange.ts';
import { isConnect } from '#shared/http/tunnel.ts';
import { carriesRequests } from '#shared/http/upgrade-token.ts';
import { isAuthority, isConnectTarget } from '#shared/http1/request-target.ts';
import type { RouteFound } from '#shared/route/compiled-match.ts';
import type { RouteBackend, RouteRule } from '#shared/route/model.ts';
import type { HeaderChange, Mirror, RouteFilter } from '#shared/route/route-filter.ts';
import { normalizeTarget } from '#shared/route/path.ts';
import type { ClientSession } from '../balance/session.ts';
import { applyChanges } from '../filters/apply-changes.ts';
import type { FilterResponse } from '../filters/filter-response.ts';
import { applyInboundFilters } from '../filters/inbound-filters.ts';
import { type JudgedRequest, judgedRequest } from '../filters/judged-request.ts';
import type { ServiceState } from '../services/service-state.ts';
import type { Downstream } from './environment.ts';
import type { RequestFailure } from './error-response.ts';

/**
 * What is done with a request, step by step (docs/filters.md). Whatever may take time, as filters that ask others do, comes
 * between the steps: the steps themselves are decided at once.
 */

/**
 * Puts the request into the form that policies and routes compare, in place: a normal path, and the name of the service
 * where none is asked for, as the server will be told. Refuses what cannot be served at all.
 * @param service that is asked
 */
export function checkRequest(
  request: RequestHead,
  { authority, routes }: Pick<ServiceState, 'authority' | 'routes'>,
): RequestFailure | undefined {
  if (isConnect(request)) return isConnectTarget(request.authority) ? undefined : 'bad_target';
  if (request.authority === '') request.authority = authority;
  else if (!isAuthority(request.authority) || request.authority.includes('%')) return 'bad_host';
  if (request.upgrade !== undefined && carriesRequests(request.upgrade)) return 'unsupported';
  if (request.path === '*') return undefined;
  const path = normalizeTarget(request.path, routes?.pathNormalization);
  if (path === undefined) return 'bad_path';
  request.path = path;
  return undefined;
}

/**
 * Whether policies allow the request as the client sent it. It comes before anything is told of routes: who may not call a
 * service does not learn which it has.
 */
export function authorize(
  downstream: Downstream,
  judged: JudgedRequest,
  token: TokenIdentity | undefined,
): Decision {
  const { authz, env, service } = downstream;
  const decision = evaluate(service.policies, authz, judged, token);
  if (!decision.allowed) env.denials.count(decision, service.service.namespace);
  const { policies } = service;
  if (policies.dryRun !== undefined)
    reportDryRun(env.logger, policies, decision, authz, service.name, judged, token);
  if (policies.audit.length > 0) reportAudit(env.logger, policies, authz, service.name, judged, token);
  return decision;
}

/** The rule that matches, and by which of its matches. */
export function findRoute(downstream: Downstream, request: RequestHead): RouteFound | undefined {
  const { caller, port, service } = downstream;
  return service.matcher.find(judgedRequest(request), port, caller);
}

/**
 * The rule to follow, or why there is none: no rule matches where one would have to. For a CONNECT one always has to, since no
 * policy sees what its tunnel carries: whoever writes the rule says that the service is a proxy, and may be one for them.
 */
export function ruleFor(
  { caller, port, service }: Downstream,
  request: RequestHead,
  found: RouteFound | undefined,
): RouteRule | RequestFailure {
  if (found !== undefined) return found.rule;
  if (isConnect(request)) return service.matcher.servesConnect(port, caller) ? 'no_route' : 'connect_unnamed';
  const routed = service.routes?.routed === true && service.matcher.hasRulesFor(port, caller);
  return routed ? 'no_route' : service.defaultRule(port);
}

/** Where a request goes. */
export type ForwardDecision =
  | { readonly kind: 'fail'; readonly failure: RequestFailure; readonly detail: string | undefined }
  | {
      readonly kind: 'answer';
      readonly response: FilterResponse;
      readonly responseChanges: readonly HeaderChange[];
    }
  | {
      readonly kind: 'forward';
      readonly backend: RouteBackend;
      readonly target: ServiceState;
      readonly responseChanges: readonly HeaderChange[];
      /** Of the backend alone. */
      readonly mirrors: readonly Mirror[];
    };

const NO_MIRRORS: readonly Mirror[] = [];

/** The backend of the client's session, while it has endpoints: without any the session has nothing to go on with. */
function keptBackend(
  { env, service }: Downstream,
  rule: RouteRule,
  session: ClientSession | undefined,
): RouteBackend | undefined {
  const backend = session?.backend(rule.backends);
  if (backend?.service === undefined) return undefined;
  const target = backend.service === service.name ? service : env.services.get(backend.service);
  const endpoints = target?.picker(backend.port, backend.subset).endpoints ?? [];
  return endpoints.length > 0 ? backend : undefined;
}

/**
 * Makes the rule's changes to the request, in place, chooses a backend, that of the client's session, else by weight, and makes its
 * changes and those of the servers behind the service.
 * @param changes filters of the rule
 */
export function decideForward(
  downstream: Downstream,
  request: RequestHead,
  rule: RouteRule,
  changes: readonly RouteFilter[],
  match: RouteFound['match'],
  session: ClientSession | undefined,
): ForwardDecision {
  const { env, port, service } = downstream;
  const { response, responseChanges } = applyChanges(changes, request, port, match);
  if (response !== undefined) return { kind: 'answer', response, responseChanges };
  const backend = keptBackend(downstream, rule, session) ?? env.split.pick(rule);
  if (backend?.service === undefined) return { kind: 'fail', failure: 'no_backend', detail: undefined };
  const target = backend.service === service.name ? service : env.services.get(backend.service);
  if (target === undefined) {
    const detail = `service ${backend.service} is not known`;
    return { kind: 'fail', failure: 'unknown_service', detail };
  }
  const { filters } = backend;
  if (filters.length === 0 && service.inbound === undefined)
    return { kind: 'forward', backend, target, responseChanges, mirrors: NO_MIRRORS };
  const ofBackend = applyChanges(filters, request, port, match);
  const inbound = applyInboundFilters(downstream, request);
  // Responses come by the server's filters first.
  const all = [...inbound.responseChanges, ...responseChanges, ...ofBackend.responseChanges];
  if (inbound.response !== undefined)
    return { kind: 'answer', response: inbound.response, responseChanges: all };
  const mirrors = filters.flatMap(filter => (filter.kind === 'mirror' ? [filter.mirror] : []));
  return { kind: 'forward', backend, target, responseChanges: all, mirrors };
}
