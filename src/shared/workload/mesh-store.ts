import { policyName, type AuthorizationPolicy } from '../authz/policy.ts';
import type { ServiceRoutes } from '../route/model.ts';
import { AddressIndex } from './address-index.ts';
import { EndpointIndex } from './endpoint-index.ts';
import type { Endpoint, MeshDelta, MeshView } from './mesh-view.ts';
import { PolicyIndex } from './policy-index.ts';
import { ServiceIndex } from './service-index.ts';
import { serviceName, workloadIdentity, type Service, type Workload } from './workload.ts';

/** What a delta changed, for those who hold things made from the state before it. */
export interface AppliedChange {
  readonly version: number;
  /** The policies of some workload may differ: live connections must be checked again. */
  readonly policyChanged: boolean;
  /** Uids of workloads that are gone, or whose address, identity or protocol is another: pooled sessions to them must go. */
  readonly evictedWorkloads: readonly string[];
  /** Names of services whose definition, endpoints or routes changed. */
  readonly changedServices: ReadonlySet<string>;
}

/**
 * The mesh as one thread sees it. `apply` costs O(what changed), and applying the same deltas in the same order gives
 * the same answers in every thread.
 */
export class MeshStore implements MeshView {
  #version = 0;
  #policyVersion = 0;
  readonly #workloads = new Map<string, Workload>();
  readonly #addresses = new AddressIndex();
  readonly #endpoints = new EndpointIndex();
  readonly #services = new ServiceIndex();
  readonly #policies = new PolicyIndex();
  readonly #routes = new Map<string, ServiceRoutes>();

  get version(): number {
    return this.#version;
  }

  get policyVersion(): number {
    return this.#policyVersion;
  }

  /** Removals first, so that a name that is in both lists of one delta ends up present. */
  apply(delta: MeshDelta): AppliedChange {
    const evicted: string[] = [];
    const changedServices = new Set<string>();
    let policyChanged = this.#applyPolicies(delta);
    for (const uid of delta.removedWorkloads) {
      const before = this.#workloads.get(uid);
      if (before === undefined) continue;
      this.#removeWorkload(before, changedServices);
      evicted.push(uid);
    }
    for (const workload of delta.workloads) {
      const before = this.#workloads.get(workload.uid);
      policyChanged = selectionChanged(before, workload) || policyChanged;
      if (before !== undefined) {
        if (!samePeer(before, workload)) evicted.push(workload.uid);
        this.#removeWorkload(before, changedServices);
      }
      this.#addWorkload(workload, changedServices);
    }
    this.#applyServices(delta, changedServices);
    this.#version++;
    if (policyChanged) this.#policyVersion++;
    return { version: this.#version, policyChanged, evictedWorkloads: evicted, changedServices };
  }

  workload(uid: string): Workload | undefined {
    return this.#workloads.get(uid);
  }

  workloadByAddress(network: string, ip: string): Workload | undefined {
    return this.#addresses.find(network, ip);
  }

  service(name: string): Service | undefined {
    return this.#services.get(name);
  }

  serviceByAddress(network: string, ip: string, knownIn?: string): Service | undefined {
    return this.#services.findByAddress(network, ip, knownIn);
  }

  serviceByHostname(hostname: string, preferredNamespace: string, knownIn?: string): Service | undefined {
    return this.#services.findByHostname(hostname, preferredNamespace, knownIn);
  }

  serviceByWildcard(hostname: string, preferredNamespace: string, knownIn?: string): Service | undefined {
    return this.#services.findByWildcard(hostname, preferredNamespace, knownIn);
  }

  endpoints(name: string): readonly Endpoint[] {
    return this.#endpoints.of(name);
  }

  policy(name: string): AuthorizationPolicy | undefined {
    return this.#policies.get(name);
  }

  /** The same array for as long as the same policies apply: things compiled from it may be cached by its identity. */
  policiesFor(workload: Workload): readonly AuthorizationPolicy[] {
    return this.#policies.appliedTo(workload);
  }

  routes(name: string): ServiceRoutes | undefined {
    return this.#routes.get(name);
  }

  /** Everything, as the delta that makes an empty store equal to this one: for new workers, the disk and admin dumps. */
  toDelta(): MeshDelta {
    return {
      workloads: [...this.#workloads.values()],
      removedWorkloads: [],
      services: [...this.#services.values()],
      removedServices: [],
      policies: [...this.#policies.values()],
      removedPolicies: [],
      routes: [...this.#routes.values()],
      removedRoutes: [],
    };
  }

  #addWorkload(workload: Workload, changedServices: Set<string>): void {
    this.#workloads.set(workload.uid, workload);
    // Host-network workloads share their node's address: a lookup by it could name the wrong one.
    if (workload.networkMode !== 'host_network') this.#addresses.add(workload);
    this.#endpoints.add(workload);
    for (const name of workload.services.keys()) changedServices.add(name);
  }

  #removeWorkload(workload: Workload, changedServices: Set<string>): void {
    this.#workloads.delete(workload.uid);
    this.#addresses.remove(workload);
    this.#endpoints.remove(workload);
    for (const name of workload.services.keys()) changedServices.add(name);
  }

  #applyPolicies(delta: MeshDelta): boolean {
    let changed = delta.policies.length > 0;
    for (const name of delta.removedPolicies) changed = this.#policies.remove(name) || changed;
    for (const policy of delta.policies) this.#policies.set(policyName(policy), policy);
    return changed;
  }

  #applyServices(delta: MeshDelta, changedServices: Set<string>): void {
    for (const name of delta.removedServices) {
      if (this.#services.remove(name)) changedServices.add(name);
    }
    for (const service of delta.services) {
      this.#services.set(service);
      changedServices.add(serviceName(service));
    }
    for (const name of delta.removedRoutes) {
      if (this.#routes.delete(name)) changedServices.add(name);
    }
    for (const routes of delta.routes) {
      const name = serviceName(routes);
      this.#routes.set(name, routes);
      changedServices.add(name);
    }
  }
}

function selectionChanged(before: Workload | undefined, after: Workload): boolean {
  if (before === undefined) return after.authorizationPolicies.length > 0;
  return (
    before.namespace !== after.namespace ||
    !sameTexts(before.authorizationPolicies, after.authorizationPolicies)
  );
}

function samePeer(before: Workload, after: Workload): boolean {
  return (
    before.tunnelProtocol === after.tunnelProtocol &&
    before.network === after.network &&
    workloadIdentity(before) === workloadIdentity(after) &&
    sameTexts(before.addresses, after.addresses)
  );
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, i) => text === b[i]);
}
