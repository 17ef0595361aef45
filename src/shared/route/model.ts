import type { AuthorizationPolicy } from '../authz/policy.ts';

/**
 * The internal L7 model. Every dialect (Gateway API HTTPRoute, Istio VirtualService and DestinationRule, …) is translated
 * into it by the controller; waypoints know nothing else. One `ServiceRoutes` a service, resource name `<namespace>/<hostname>`.
 */
export interface ServiceRoutes {
  readonly namespace: string;
  readonly hostname: string;
  /** Already in order of precedence (`precedence.ts`): the first rule that matches is taken. */
  readonly rules: readonly RouteRule[];
  /** From DestinationRule: how connections to this service's endpoints are made, whatever rule led there. */
  readonly subsets: readonly Subset[];
  readonly trafficPolicy: TrafficPolicy;
  /** L7 policies that apply to requests for this service (its own, its namespace's, and mesh-wide ones). */
  readonly authorizationPolicies: readonly AuthorizationPolicy[];
  /**
   * True when some route is attached: then a request that matches no rule gets 404 (GEP-1426). False: everything goes
   * to the service itself.
   */
  readonly routed: boolean;
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
  /** Any of them; empty matches every request. */
  readonly matches: readonly RouteMatch[];
  readonly filters: readonly RouteFilter[];
  readonly backends: readonly RouteBackend[];
  readonly timeouts: RouteTimeouts;
  readonly retry: RetryPolicy | undefined;
}

/** All set fields must match. */
export interface RouteMatch {
  readonly path: PathMatch | undefined;
  readonly method: string | undefined;
  readonly headers: readonly ValueMatch[];
  readonly withoutHeaders: readonly ValueMatch[];
  readonly query: readonly ValueMatch[];
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
  readonly kind: 'exact' | 'prefix' | 'regex' | 'present';
  readonly value: string;
}

export type RouteFilter =
  | { readonly kind: 'request_headers'; readonly change: HeaderChange }
  | { readonly kind: 'response_headers'; readonly change: HeaderChange }
  | { readonly kind: 'redirect'; readonly redirect: Redirect }
  | { readonly kind: 'rewrite'; readonly rewrite: Rewrite }
  | { readonly kind: 'direct_response'; readonly status: number; readonly body: string };

export interface HeaderChange {
  readonly set: readonly HeaderValue[];
  readonly add: readonly HeaderValue[];
  readonly remove: readonly string[];
}

export interface HeaderValue {
  readonly name: string;
  readonly value: string;
}

export interface Redirect {
  readonly scheme: string | undefined;
  readonly hostname: string | undefined;
  readonly port: number | undefined;
  readonly path: PathModifier | undefined;
  readonly status: number;
}

export interface Rewrite {
  readonly hostname: string | undefined;
  readonly path: PathModifier | undefined;
}

/** `prefix` replaces what the rule's path match (of kind prefix or string_prefix) matched. */
export interface PathModifier {
  readonly kind: 'full' | 'prefix';
  readonly value: string;
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

export interface RouteTimeouts {
  /** Whole exchange, all retries included; undefined or 0 is none. */
  readonly requestMs: number | undefined;
  /** One try. */
  readonly backendRequestMs: number | undefined;
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

/** Endpoints of a service with these pod labels. */
export interface Subset {
  readonly name: string;
  readonly trafficPolicy: TrafficPolicy | undefined;
  /** Workload uids, resolved by the controller from labels, so that labels need not travel. */
  readonly workloads: readonly string[];
}

export interface TrafficPolicy {
  readonly loadBalancer: 'least_request' | 'round_robin' | 'random' | 'passthrough' | undefined;
  readonly connectTimeoutMs: number | undefined;
  readonly maxConnections: number | undefined;
  readonly http1MaxPendingRequests: number | undefined;
  readonly maxRequestsPerConnection: number | undefined;
  /** Share of active requests that may be retries, and a floor; the defaults are 0.2 over 10 s and 10/s. */
  readonly retryBudget: RetryBudgetConfig | undefined;
}

export interface RetryBudgetConfig {
  readonly ratio: number;
  readonly minPerSecond: number;
  readonly ttlMs: number;
}
