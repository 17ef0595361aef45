import type { AuthorizationPolicy } from '../authz/policy.ts';
import type { RequestCondition, ResponseClass } from './condition.ts';
import type { ExternalAuthorizer } from './external-authorizer.ts';
import type { PathNormalization } from './path.ts';
import type { RouteFilter } from './route-filter.ts';
import type { StreamRule } from './stream-rule.ts';
import type { TokenIssuer } from './token-issuer.ts';
import { NO_TELEMETRY_POLICY, type TelemetryPolicy } from './telemetry-policy.ts';
import { NO_TRAFFIC_POLICY, type PortTrafficPolicy, type TrafficPolicy } from './traffic-policy.ts';

/**
 * The internal L7 model. Every dialect (Gateway API routes, Istio VirtualService and DestinationRule, Linkerd ServiceProfile,
 * Consul resolvers, …) is translated into it by the controller; waypoints know nothing else. One `ServiceRoutes` a service,
 * resource name `<namespace>/<hostname>`. Services are named likewise everywhere in it, workloads by uid.
 */
export interface ServiceRoutes {
  readonly namespace: string;
  readonly hostname: string;
  /** Already in order of precedence (`precedence.ts`): the first rule that matches is taken. */
  readonly rules: readonly RouteRule[];
  /** For connections that are not HTTP, in order of precedence. */
  readonly streamRules: readonly StreamRule[];
  /**
   * What servers behind it do to requests that came in, whatever rule led there, by their filters alone: the first that matches what
   * they get. In order of precedence.
   */
  readonly inboundRules: readonly RouteRule[];
  readonly subsets: readonly Subset[];
  /** How connections to this service's endpoints are made, whatever rule led there (`effective-policy.ts`). */
  readonly trafficPolicy: TrafficPolicy;
  readonly portPolicies: readonly PortTrafficPolicy[];
  /** L7 policies that apply to requests for this service (its own, its namespace's, and mesh-wide ones). */
  readonly authorizationPolicies: readonly AuthorizationPolicy[];
  /** Who answers for policies of action `custom`, by `AuthorizationPolicy.provider`. */
  readonly authorizers: readonly ExternalAuthorizer[];
  /** Whose tokens are verified. A request with a bad token gets 401; one without any goes on, without request principal. */
  readonly tokenIssuers: readonly TokenIssuer[];
  readonly telemetry: TelemetryPolicy;
  /**
   * True when some route is attached: then a request that matches no rule gets 404 (GEP-1426). False: everything goes
   * to the service itself.
   */
  readonly routed: boolean;
  /** What is made of the paths of requests before anything else. */
  readonly pathNormalization: PathNormalization;
  /** Its host is a wildcard, and its endpoints are what the host that a request (or TLS) names stands for. */
  readonly endpointsByHost: boolean;
  /** What a second waypoint of it holds, where that is not the same: policies may be for one waypoint alone (`canary-routes.ts`). */
  readonly canary: CanaryRoutes | undefined;
}

export interface CanaryRoutes {
  readonly waypoint: { readonly namespace: string; readonly hostname: string };
  /** They have no canary again. */
  readonly routes: ServiceRoutes;
}

export interface RouteRule {
  /** For logs and metrics: `<kind>/<namespace>/<name>` and rule name or index. */
  readonly name: string;
  /** Service ports this rule is for; empty is every port. */
  readonly ports: readonly number[];
  /**
   * Namespace whose callers alone the rule is for (a Gateway API consumer route): their requests to a port for which it has
   * such rules see these and no others. Undefined: for everyone else.
   */
  readonly consumer: string | undefined;
  /** Host names (exact or `*.suffix`) the rule is limited to; empty is any. */
  readonly hosts: readonly string[];
  /** Namespaces whose callers alone the rule is for, beside others; empty is any. A source without identity is in none. */
  readonly callers: readonly string[];
  /** Any of them; empty matches every request. */
  readonly matches: readonly RouteMatch[];
  readonly filters: readonly RouteFilter[];
  readonly backends: readonly RouteBackend[];
  readonly timeouts: RouteTimeouts;
  /** Undefined: the default (`default-retry.ts`). */
  readonly retry: RetryPolicy | undefined;
  /** Instead of the budget of the traffic policy. */
  readonly retryBudget: RetryBudgetConfig | undefined;
  readonly hedge: HedgeTrigger | undefined;
  readonly session: SessionPersistence | undefined;
  /** What counts as a failure in the success rate; the first class whose condition holds decides, else 5xx is a failure. */
  readonly responseClasses: readonly ResponseClass[];
}

/** All set fields must match. */
export interface RouteMatch {
  readonly path: PathMatch | undefined;
  readonly method: string | undefined;
  /** `:method`, `:authority` and `:scheme` may be asked for as headers; `:authority` is compared in lower case. */
  readonly headers: readonly ValueMatch[];
  /** None of them may match. */
  readonly withoutHeaders: readonly ValueMatch[];
  readonly query: readonly ValueMatch[];
  readonly source: SourceMatch | undefined;
  /** What the fields above cannot say: alternatives and negations. */
  readonly condition: RequestCondition | undefined;
}

/** `prefix` is by path element (`/foo` matches `/foo/bar`, not `/foobar`); `string_prefix` is by characters, as Istio's. */
export interface PathMatch {
  readonly kind: 'exact' | 'prefix' | 'string_prefix' | 'regex';
  readonly value: string;
  readonly ignoreCase: boolean;
}

export interface ValueMatch {
  /** Lower case for headers, as written for query parameters. */
  readonly name: string;
  readonly kind: 'exact' | 'prefix' | 'suffix' | 'contains' | 'regex' | 'present';
  readonly value: string;
}

/** The workload a request comes from. All set fields must match. */
export interface SourceMatch {
  /** Of the authenticated source; empty is any. */
  readonly namespaces: readonly string[];
  /** Uids, resolved by the controller from labels; undefined is any, empty is none. */
  readonly workloads: readonly string[] | undefined;
}

export interface RouteBackend {
  /** Relative; 0 takes nothing. */
  readonly weight: number;
  /** `<namespace>/<hostname>`; undefined when the reference did not resolve: its share answers 500 (Gateway API). */
  readonly service: string | undefined;
  readonly port: number;
  readonly subset: string | undefined;
  readonly filters: readonly RouteFilter[];
}

/** Undefined or 0 is none. */
export interface RouteTimeouts {
  /** Whole exchange, all retries included. */
  readonly requestMs: number | undefined;
  /** One try. */
  readonly backendRequestMs: number | undefined;
  /** From the end of the request to the end of the response. */
  readonly responseMs: number | undefined;
  /** Without a byte in either direction. */
  readonly idleMs: number | undefined;
}

export interface RetryPolicy {
  /** Tries after the first. 0 turns retries off. */
  readonly attempts: number;
  readonly on: readonly RetryCondition[];
  /** With `retriable_status_codes`. */
  readonly statusCodes: readonly number[];
  readonly perTryTimeoutMs: number | undefined;
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
  /** A retry may leave the locality of the first try although that one has healthy endpoints. */
  readonly remoteLocalities: boolean;
  /** How often a pick that fell on an endpoint already tried is made again; 0 lets a retry go to the same one. */
  readonly hostSelectionAttempts: number;
}

export type RetryCondition =
  | 'connect_failure'
  | 'refused_stream'
  | 'reset'
  | 'reset_before_request'
  | 'gateway_error'
  | '5xx'
  | 'retriable_4xx'
  | 'retriable_status_codes'
  | 'grpc_cancelled'
  | 'grpc_deadline_exceeded'
  | 'grpc_internal'
  | 'grpc_resource_exhausted'
  | 'grpc_unavailable';

/** Share of active requests that may be retries, and a floor; the defaults are 0.2 over 10 s and 10/s. */
export interface RetryBudgetConfig {
  readonly ratio: number;
  readonly minPerSecond: number;
  readonly ttlMs: number;
}

/**
 * When the timeout of one try is over, it is not given up: the next one, as retries and their budget allow, is made beside it, and the
 * first answer that would not be retried is taken (Envoy's `hedge_on_per_try_timeout`). For requests that have a timeout
 * of their own and can be sent twice; others are retried as ever.
 */
export type HedgeTrigger = 'on_try_timeout';

/** Requests of one client session go to the endpoint of its first one while that is there. */
export interface SessionPersistence {
  readonly kind: 'cookie' | 'header';
  readonly name: string;
  /** Of the cookie. */
  readonly path: string | undefined;
  /** After this time the session is made anew; undefined never. */
  readonly absoluteTimeoutMs: number | undefined;
  /** After this time without a request. */
  readonly idleTimeoutMs: number | undefined;
  /** `permanent`: the cookie outlives the browser, for `absoluteTimeoutMs`. */
  readonly lifetime: 'session' | 'permanent';
}

/** Endpoints of a service with these pod labels. */
export interface Subset {
  readonly name: string;
  /** Undefined: the service's. Given: all of the policy, nothing is inherited. */
  readonly trafficPolicy: TrafficPolicy | undefined;
  readonly portPolicies: readonly PortTrafficPolicy[];
  /** Workload uids, resolved by the controller from labels, so that labels need not travel. */
  readonly workloads: readonly string[];
}

/** Undefined: as the waypoint is configured. */

/*
 * What is not set, to be spread and changed: a field added to the model then needs no change where it has no meaning.
 */

export const NO_TIMEOUTS: RouteTimeouts = Object.freeze({
  requestMs: undefined,
  backendRequestMs: undefined,
  responseMs: undefined,
  idleMs: undefined,
});

export const ANY_REQUEST: RouteMatch = Object.freeze({
  path: undefined,
  method: undefined,
  headers: [],
  withoutHeaders: [],
  query: [],
  source: undefined,
  condition: undefined,
});

/** Matches everything and leads nowhere. */
export const PLAIN_RULE: RouteRule = Object.freeze({
  name: '',
  ports: [],
  hosts: [],
  consumer: undefined,
  callers: [],
  matches: [],
  filters: [],
  backends: [],
  timeouts: NO_TIMEOUTS,
  retry: undefined,
  retryBudget: undefined,
  hedge: undefined,
  session: undefined,
  responseClasses: [],
});

/** Of a service that nothing is attached to. */
export const NO_ROUTES: Omit<ServiceRoutes, 'namespace' | 'hostname'> = Object.freeze({
  rules: [],
  streamRules: [],
  inboundRules: [],
  subsets: [],
  trafficPolicy: NO_TRAFFIC_POLICY,
  portPolicies: [],
  authorizationPolicies: [],
  authorizers: [],
  tokenIssuers: [],
  telemetry: NO_TELEMETRY_POLICY,
  routed: false,
  pathNormalization: 'base',
  endpointsByHost: false,
  canary: undefined,
});
