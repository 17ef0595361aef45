import type { AuthorizationPolicy } from '../authz/policy.ts';
import type { ServiceRoutes } from '../route/model.ts';
import type { Service, ServicePort, Workload } from './workload.ts';

/**
 * What a decision may ask about the mesh. One writer (`MeshStore.apply`), readers in the same thread see a whole version;
 * other threads get the same deltas over a MessagePort and keep a store of their own.
 */
export interface MeshView {
  /** Grows with every applied delta. */
  readonly version: number;
  /** Grows whenever a delta changed, added or removed a policy, or which policies select a workload. */
  readonly policyVersion: number;

  workload(uid: string): Workload | undefined;
  /** Never a host-network workload: several of them share their node's address. */
  workloadByAddress(network: string, ip: string): Workload | undefined;
  /** `<namespace>/<hostname>`. */
  service(name: string): Service | undefined;
  /**
   * Exact VIP first, then the longest matching prefix.
   * @param knownIn of several only those that workloads of this namespace know, its own first, then the canonical one;
   *   left out: the canonical one, else the first by name
   */
  serviceByAddress(network: string, ip: string, knownIn?: string): Service | undefined;
  /** By host name alone: the service of `preferredNamespace` first, then the canonical one, then by name order. */
  serviceByHostname(hostname: string, preferredNamespace: string, knownIn?: string): Service | undefined;
  /** By the nearest wildcard (`*.<domain>`) that the host name is under; of several as `serviceByHostname`. */
  serviceByWildcard(hostname: string, preferredNamespace: string, knownIn?: string): Service | undefined;
  /** In a stable order; the same array while nothing about the service's endpoints changed. */
  endpoints(serviceName: string): readonly Endpoint[];
  policy(name: string): AuthorizationPolicy | undefined;
  /** Every policy that applies to traffic arriving at the workload: global, its namespace's, and those selecting it. */
  policiesFor(workload: Workload): readonly AuthorizationPolicy[];
  routes(serviceName: string): ServiceRoutes | undefined;
}

export interface Endpoint {
  readonly workload: Workload;
  readonly ports: readonly ServicePort[];
}

/** A change of the mesh, as plain data that survives a structured clone. */
export interface MeshDelta {
  readonly workloads: readonly Workload[];
  readonly removedWorkloads: readonly string[];
  readonly services: readonly Service[];
  readonly removedServices: readonly string[];
  readonly policies: readonly AuthorizationPolicy[];
  readonly removedPolicies: readonly string[];
  readonly routes: readonly ServiceRoutes[];
  readonly removedRoutes: readonly string[];
}

export const EMPTY_DELTA: MeshDelta = Object.freeze({
  workloads: [],
  removedWorkloads: [],
  services: [],
  removedServices: [],
  policies: [],
  removedPolicies: [],
  routes: [],
  removedRoutes: [],
});
