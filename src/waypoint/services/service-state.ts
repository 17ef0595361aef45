import { compile, type CompiledPolicySet } from '#shared/authz/compile.ts';
import { compileRoutes, type RouteMatcher } from '#shared/route/match.ts';
import {
  PLAIN_RULE,
  type RetryBudgetConfig,
  type RouteRule,
  type ServiceRoutes,
} from '#shared/route/model.ts';
import { NO_TRAFFIC_POLICY, type TrafficPolicy } from '#shared/route/traffic-policy.ts';
import type { MeshView } from '#shared/workload/mesh-view.ts';
import { type Service, type ServicePort, serviceName } from '#shared/workload/workload.ts';
import { candidates } from '../balance/candidates.ts';
import type { EndpointLoads } from '../balance/endpoint.ts';
import type { Place } from '../balance/locality.ts';
import { makePicker, type Picker, type RotationCursor } from '../balance/picker.ts';
import type { PoolLimits } from '../upstream/attempt.ts';
import type { RetryBudget } from '../retry/budget.ts';

/** How connections to endpoints are made, from the traffic policy. */
export interface UpstreamPolicy {
  readonly connectTimeoutMs: number | undefined;
  readonly limits: PoolLimits;
}

/** Bounds where a DestinationRule sets none: Envoy's for requests that wait; connections are bounded for our own sake. */
const DEFAULT_MAX_CONNECTIONS = 4096;
const DEFAULT_MAX_PENDING = 1024;

/** What outlives a change of the service's definition. */
export interface ServiceMemory {
  readonly budgetConfig: RetryBudgetConfig;
  readonly budget: RetryBudget;
  readonly cursors: Map<string, RotationCursor>;
}

/**
 * Everything this thread has compiled for one service, from one version of the mesh. Immutable but for pickers made when
 * they are first needed; replaced as a whole when the service, its routes or its endpoints change (`stale` then).
 */
export class ServiceState {
  readonly name: string;
  readonly service: Service;
  readonly routes: ServiceRoutes | undefined;
  readonly matcher: RouteMatcher;
  readonly policies: CompiledPolicySet;
  readonly trafficPolicy: TrafficPolicy;
  readonly budget: RetryBudget;
  /** A newer state has taken its place. */
  stale = false;
  readonly #view: MeshView;
  readonly #memory: ServiceMemory;
  readonly #loads: EndpointLoads;
  readonly #place: Place;
  readonly #pickers = new Map<string, Picker>();
  readonly #byPort = new Map<number, Picker>();
  readonly #upstreamPolicies = new Map<string | undefined, UpstreamPolicy>();
  readonly #defaultRules = new Map<number, RouteRule>();

  constructor(view: MeshView, service: Service, memory: ServiceMemory, loads: EndpointLoads, place: Place) {
    this.name = serviceName(service);
    this.service = service;
    this.routes = view.routes(this.name);
    this.matcher = compileRoutes(this.routes ?? { rules: [] });
    this.policies = compile(this.routes?.authorizationPolicies ?? []);
    this.trafficPolicy = this.routes?.trafficPolicy ?? NO_TRAFFIC_POLICY;
    this.budget = memory.budget;
    this.#view = view;
    this.#memory = memory;
    this.#loads = loads;
    this.#place = place;
  }

  port(servicePort: number): ServicePort | undefined {
    return this.service.ports.find(port => port.servicePort === servicePort);
  }

  /** For requests that no rule matches, of a service without routes: the service itself. */
  defaultRule(port: number): RouteRule {
    let rule = this.#defaultRules.get(port);
    if (rule === undefined) this.#defaultRules.set(port, (rule = makeDefaultRule(this.name, port)));
    return rule;
  }

  /** The balancer of one port, and of one subset when given. An unknown subset has no endpoint. */
  picker(port: number, subset: string | undefined): Picker {
    const known = subset === undefined ? this.#byPort.get(port) : this.#pickers.get(`${port}/${subset}`);
    if (known !== undefined) return known;
    const picker = this.#makePicker(port, subset);
    if (subset === undefined) this.#byPort.set(port, picker);
    else this.#pickers.set(`${port}/${subset}`, picker);
    return picker;
  }

  upstreamPolicy(subset: string | undefined): UpstreamPolicy {
    let policy = this.#upstreamPolicies.get(subset);
    if (policy === undefined) {
      const own = this.routes?.subsets.find(candidate => candidate.name === subset)?.trafficPolicy;
      this.#upstreamPolicies.set(subset, (policy = makeUpstreamPolicy(own, this.trafficPolicy)));
    }
    return policy;
  }

  #makePicker(port: number, subsetName: string | undefined): Picker {
    const subset = this.routes?.subsets.find(candidate => candidate.name === subsetName);
    const endpoints = candidates(
      this.#view.endpoints(this.name),
      {
        servicePort: port,
        subset: subsetName === undefined ? undefined : (subset?.workloads ?? []),
        loadBalancing: this.service.loadBalancing,
        place: this.#place,
      },
      this.#loads,
    );
    const policy = subset?.trafficPolicy?.loadBalancer ?? this.trafficPolicy.loadBalancer;
    return makePicker(endpoints, policy?.kind, this.#cursor(`${port}/${subsetName ?? ''}`));
  }

  #cursor(key: string): RotationCursor {
    let cursor = this.#memory.cursors.get(key);
    if (cursor === undefined) this.#memory.cursors.set(key, (cursor = { turn: 0 }));
    return cursor;
  }
}

/** A subset's policy holds where it says something. */
function makeUpstreamPolicy(own: TrafficPolicy | undefined, service: TrafficPolicy): UpstreamPolicy {
  const perConnection = own?.maxRequestsPerConnection ?? service.maxRequestsPerConnection ?? 0;
  return {
    connectTimeoutMs: own?.connectTimeoutMs ?? service.connectTimeoutMs,
    limits: {
      maxConnections: own?.maxConnections ?? service.maxConnections ?? DEFAULT_MAX_CONNECTIONS,
      maxPendingRequests:
        own?.http1MaxPendingRequests ?? service.http1MaxPendingRequests ?? DEFAULT_MAX_PENDING,
      maxRequestsPerConnection: perConnection === 0 ? Number.POSITIVE_INFINITY : perConnection,
    },
  };
}

function makeDefaultRule(service: string, port: number): RouteRule {
  return {
    ...PLAIN_RULE,
    name: 'default',
    backends: [{ weight: 1, service, port, subset: undefined, filters: [] }],
  };
}
