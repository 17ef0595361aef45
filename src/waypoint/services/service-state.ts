import { compile, type CompiledPolicySet } from '#shared/authz/compile.ts';
import { type LogFilter, parseLogFilter } from '#shared/route/log-filter/log-filter.ts';
import { compileRoutes, type RouteMatcher } from '#shared/route/match.ts';
import { compileStreamRules, type StreamMatcher } from '#shared/route/match-stream.ts';
import { effectivePolicy } from '#shared/route/effective-policy.ts';
import {
  PLAIN_RULE,
  type RetryBudgetConfig,
  type RouteRule,
  type ServiceRoutes,
} from '#shared/route/model.ts';
import { type HashSource, NO_TRAFFIC_POLICY, type TrafficPolicy } from '#shared/route/traffic-policy.ts';
import type { MeshView } from '#shared/workload/mesh-view.ts';
import { displayName, findPort, isOfWorkload } from '#shared/workload/workload-service.ts';
import { type Service, type ServicePort, serviceName } from '#shared/workload/workload.ts';
import type { BalancerMemory } from '../balance/balancer-memory.ts';
import { candidates } from '../balance/candidates.ts';
import { makeLevels, type Place } from '../balance/locality.ts';
import type { BalancedEndpoint } from '../balance/endpoint.ts';
import { makePicker, type Picker } from '../balance/picker.ts';
import { DEFAULT_RETRY_BUDGET, type RetryBudget, UNLIMITED_RETRY_BUDGET } from '../retry/budget.ts';
import type { ServiceMemory } from './service-memory.ts';
import { makeUpstreamPolicy, type UpstreamPolicy } from './upstream-policy.ts';

export interface ServiceStateOptions {
  readonly view: MeshView;
  readonly service: Service;
  readonly memory: ServiceMemory;
  readonly place: Place;
  readonly threads: number;
}

/** Where requests for one port of a service, or of a subset of it, go. */
export interface Upstream extends UpstreamPolicy {
  readonly picker: Picker;
  /** What requests are balanced by; empty for most algorithms. */
  readonly hash: readonly HashSource[];
  readonly policy: TrafficPolicy;
  /** Undefined: the service has no such port. */
  readonly port: ServicePort | undefined;
}

/** Of a service more are made anew when they are asked for. A workload has 65,535. */
const MAX_PORTS = 1_024;

/**
 * Everything this thread has compiled for one service, from one version of the mesh. Immutable but for pickers made when
 * they are first needed; replaced as a whole when the service, its routes or its endpoints change (`stale` then).
 */
export class ServiceState {
  readonly name: string;
  readonly service: Service;
  readonly routes: ServiceRoutes | undefined;
  readonly matcher: RouteMatcher;
  /** What servers do to requests by filters of their own; undefined: nothing. */
  readonly inbound: RouteMatcher | undefined;
  /** Of connections that are not HTTP. */
  readonly streams: StreamMatcher;
  readonly policies: CompiledPolicySet;
  /** Requests have something to pass before policies are evaluated (`ThreadFilters.guardOf`). */
  readonly guarded: boolean;
  readonly trafficPolicy: TrafficPolicy;
  readonly budget: RetryBudget;
  /**
   * `list`: endpoints are those the mesh knows. `host`, `address`: of each request only those of the host it names, or of the address its
   * client dialled (`hosts/asked-host.ts`); as a whole the service has none then.
   */
  readonly endpointsBy: 'list' | 'host' | 'address';
  /** Of the access log; undefined: it leaves nothing out. */
  readonly logFilter: LogFilter | undefined;
  /** A newer state has taken its place. */
  stale = false;
  readonly #view: MeshView;
  readonly #memory: ServiceMemory;
  readonly #place: Place;
  readonly #threads: number;
  /** Of a wildcard, with the dot; undefined: it has one name. */
  readonly #suffix: string | undefined;
  readonly #upstreams = new Map<string, Upstream>();
  /** By what `upstream` makes: the endpoints of each host. */
  readonly #byHost = new Map<Upstream, ReadonlyMap<string, readonly BalancedEndpoint[]>>();
  readonly #byPort = new Map<number, Upstream>();
  #hosts: ReadonlySet<string> | undefined;
  readonly #defaultRules = new Map<number, RouteRule>();

  constructor({ memory, place, service, threads, view }: ServiceStateOptions) {
    this.name = serviceName(service);
    this.service = service;
    this.routes = view.routes(this.name);
    this.matcher = compileRoutes(this.routes ?? { rules: [] });
    this.inbound = compileInbound(this.routes);
    this.streams = compileStreamRules(this.routes?.streamRules ?? []);
    this.policies = compile(this.routes?.authorizationPolicies ?? []);
    this.logFilter = compileLogFilter(this.routes?.telemetry.accessLogFilter);
    this.guarded = this.policies.custom.length > 0 || (this.routes?.tokenIssuers ?? []).length > 0;
    this.trafficPolicy = this.routes?.trafficPolicy ?? NO_TRAFFIC_POLICY;
    this.budget = memory.budget(undefined, budgetOf(this.trafficPolicy));
    this.endpointsBy = endpointsBy(service, this.routes);
    this.#suffix = service.hostname.startsWith('*.') ? service.hostname.slice(1) : undefined;
    this.#view = view;
    this.#memory = memory;
    this.#place = place;
    this.#threads = threads;
    const { rules = [], subsets = [] } = this.routes ?? {};
    memory.retain(new Set(rules.map(rule => rule.name)), new Set(subsets.map(subset => subset.name)));
  }

  port(servicePort: number): ServicePort | undefined {
    return findPort(this.service.ports, servicePort);
  }

  /** What a request without a host is for. */
  get authority(): string {
    return displayName(this.service);
  }

  /** Its host is a wildcard: not whoever reaches it means it. */
  get isWildcard(): boolean {
    return this.#suffix !== undefined;
  }

  /** @param host in lower case, without port */
  covers(host: string): boolean {
    const suffix = this.#suffix;
    return suffix === undefined || (host.length > suffix.length && host.endsWith(suffix));
  }

  /** Whether the endpoints of a host have been found. */
  knowsHost(host: string): boolean {
    this.#hosts ??= new Set(this.#view.endpoints(this.name).map(({ workload }) => workload.hostname));
    return this.#hosts.has(host);
  }

  /**
   * Whether a connection that is passed on is looked into for the name it asks for. A server that speaks first is not held up for the
   * sake of a wildcard alone.
   *
   * @param isNamed the client dialled a name
   */
  asksServerName(port: number, isNamed: boolean): boolean {
    if (this.streams.needsServerName(port) || this.policies.asksServerName) return true;
    const declared = this.port(port)?.appProtocol;
    if (declared !== 'tcp' && this.#leadsPastClientTls(port)) return true;
    if (isNamed) return false;
    if (this.endpointsBy === 'host') return true;
    if (this.isWildcard && declared !== 'tcp') return true;
    const rules = this.routes?.streamRules ?? [];
    const isByHost = (name = ''): boolean => this.#view.routes(name)?.endpointsByHost === true;
    return rules.some(rule => rule.backends.some(backend => isByHost(backend.service)));
  }

  /** Whether TLS is originated for the port, but not around that of a client. */
  passesClientTls(port: number, subset: string | undefined): boolean {
    return passesClientTls(this.routes, port, subset);
  }

  /** As `passesClientTls`, of wherever a connection that is not HTTP may be led. */
  #leadsPastClientTls(port: number): boolean {
    if (this.passesClientTls(port, undefined)) return true;
    const { rules = [], streamRules = [] } = this.routes ?? {};
    const backends = [...streamRules, ...rules.filter(rule => rule.matches.length === 0)].flatMap(
      rule => rule.backends,
    );
    return backends.some(({ port: at, service, subset }) =>
      passesClientTls(this.#view.routes(service ?? ''), at, subset),
    );
  }

  /** For requests that no rule matches, of a service without routes: the service itself. */
  defaultRule(port: number): RouteRule {
    let rule = this.#defaultRules.get(port);
    if (rule === undefined) {
      if (this.#defaultRules.size >= MAX_PORTS) this.#defaultRules.clear();
      this.#defaultRules.set(port, (rule = makeDefaultRule(this.name, port)));
    }
    return rule;
  }

  /** Of the rule, where it has one of its own, else the service's. */
  budgetOf(rule: RouteRule): RetryBudget {
    return rule.retryBudget === undefined ? this.budget : this.#memory.budget(rule.name, rule.retryBudget);
  }

  /** Of one port, and of one subset when given. An unknown subset has no endpoint. */
  upstream(port: number, subset: string | undefined): Upstream {
    const known = subset === undefined ? this.#byPort.get(port) : this.#upstreams.get(`${port}/${subset}`);
    if (known !== undefined) return known;
    const upstream = this.#makeUpstream(port, subset);
    if (subset === undefined) {
      if (this.#byPort.size >= MAX_PORTS) this.#byPort.clear();
      this.#byPort.set(port, upstream);
    } else this.#upstreams.set(`${port}/${subset}`, upstream);
    return upstream;
  }

  /** As `upstream`, for a request whose endpoints are those of one host (`endpointsBy`). */
  upstreamAt(port: number, subset: string | undefined, host: string | undefined): Upstream {
    const whole = this.upstream(port, subset);
    if (host === undefined || this.endpointsBy === 'list') return whole;
    const key = `${port}/${subset ?? ''} ${host}`;
    let upstream = this.#upstreams.get(key);
    if (upstream === undefined) {
      const endpoints = this.#byHost.get(whole)?.get(host) ?? [];
      const memory = this.#memory.balancer(port, subset);
      const picker = this.#makePicker(endpoints, whole.policy, memory);
      this.#upstreams.set(key, (upstream = { ...whole, picker }));
    }
    return upstream;
  }

  /** Those that have been asked for: what the admin page shows. */
  dump(): readonly object[] {
    const rows: object[] = [];
    for (const [port, upstream] of this.#byPort) rows.push(dumpUpstream(this.name, String(port), upstream));
    for (const [key, upstream] of this.#upstreams) rows.push(dumpUpstream(this.name, key, upstream));
    return rows;
  }

  picker(port: number, subset: string | undefined): Picker {
    return this.upstream(port, subset).picker;
  }

  #makeUpstream(port: number, subsetName: string | undefined): Upstream {
    const policy =
      this.routes === undefined ? NO_TRAFFIC_POLICY : effectivePolicy(this.routes, port, subsetName);
    // Who may dial every port must not make one remember them all.
    const memory = this.#memory.balancer(isOfWorkload(this.service) ? 0 : port, subsetName);
    memory.usePolicy(policy);
    const balancer = policy.loadBalancer;
    const endpoints = this.#candidates(port, subsetName, memory);
    const isWhole = this.endpointsBy === 'list';
    const upstream = {
      ...makeUpstreamPolicy(policy, this.service, this.#threads, memory.use, memory.clock),
      picker: this.#makePicker(isWhole ? endpoints : [], policy, memory),
      hash: balancer !== undefined && 'hash' in balancer ? balancer.hash : [],
      policy,
      port: this.port(port),
    };
    if (!isWhole)
      this.#byHost.set(
        upstream,
        Map.groupBy(endpoints, ({ workload }) => workload.hostname),
      );
    return upstream;
  }

  /** Subsets are of endpoints with labels: what is found has none, and a subset of it only a policy of its own. */
  #candidates(
    port: number,
    subsetName: string | undefined,
    memory: BalancerMemory,
  ): readonly BalancedEndpoint[] {
    const { loadBalancing } = this.service;
    const subset = this.routes?.subsets.find(candidate => candidate.name === subsetName);
    const isWhole = subsetName === undefined || (subset !== undefined && this.endpointsBy !== 'list');
    const uids = isWhole ? undefined : (subset?.workloads ?? []);
    const options = { servicePort: port, subset: uids, loadBalancing };
    return candidates(this.#view.endpoints(this.name), options, memory.loads);
  }

  #makePicker(endpoints: readonly BalancedEndpoint[], policy: TrafficPolicy, memory: BalancerMemory): Picker {
    const { loadBalancing } = this.service;
    const { loadBalancer: balancer, outlierDetection, slowStart } = policy;
    const levels = makeLevels(endpoints, {
      policy: policy.locality,
      loadBalancing,
      place: this.#place,
      detectsOutliers: outlierDetection !== undefined,
    });
    return makePicker(levels, {
      balancer,
      slowStart,
      cursor: memory.cursor,
      clock: memory.clock,
      panicBelow: (outlierDetection?.minHealthPercent ?? 0) / 100,
      panicWhenNone: outlierDetection === undefined,
    });
  }
}

function budgetOf({ retryBudget, retryConcurrency }: TrafficPolicy): RetryBudgetConfig {
  return retryBudget ?? (retryConcurrency === undefined ? DEFAULT_RETRY_BUDGET : UNLIMITED_RETRY_BUDGET);
}

function passesClientTls(
  routes: ServiceRoutes | undefined,
  port: number,
  subset: string | undefined,
): boolean {
  return routes !== undefined && effectivePolicy(routes, port, subset).tls?.passesClientTls === true;
}

function endpointsBy(
  { loadBalancing }: Service,
  routes: ServiceRoutes | undefined,
): ServiceState['endpointsBy'] {
  if (routes?.endpointsByHost === true) return 'host';
  return loadBalancing?.mode === 'passthrough' ? 'address' : 'list';
}

/** `target`: the port, and the subset behind a slash. */
function dumpUpstream(service: string, target: string, { limits, picker }: Upstream): object {
  const { connections, pending, requests, retries } = limits.shared;
  const out = picker.endpoints.filter(({ load }) => load.out).map(({ uid }) => uid);
  return {
    service,
    target,
    endpoints: picker.endpoints.length,
    out,
    weights: reportedWeights(picker.endpoints),
    requests,
    retries,
    connections,
    pending,
  };
}

/** Where weights go by what endpoints report: those that count now; null where there is none. */
function reportedWeights(
  endpoints: readonly BalancedEndpoint[],
): Readonly<Record<string, number | null>> | undefined {
  if (!endpoints.some(({ load }) => load.reported !== undefined)) return undefined;
  return Object.fromEntries(endpoints.map(({ load, uid }) => [uid, load.reported?.current ?? null]));
}

function compileInbound(routes: ServiceRoutes | undefined): RouteMatcher | undefined {
  const rules = routes?.inboundRules ?? [];
  return rules.length === 0 ? undefined : compileRoutes({ rules });
}

/** It was checked when it came. */
function compileLogFilter(text: string | undefined): LogFilter | undefined {
  const parsed = text === undefined ? undefined : parseLogFilter(text);
  return parsed?.ok === true ? parsed.filter : undefined;
}

function makeDefaultRule(service: string, port: number): RouteRule {
  return {
    ...PLAIN_RULE,
    name: 'default',
    backends: [{ weight: 1, service, port, subset: undefined, filters: [] }],
  };
}
