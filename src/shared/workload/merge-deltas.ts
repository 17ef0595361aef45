import { policyName, type AuthorizationPolicy } from '../authz/policy.ts';
import type { ServiceRoutes } from '../route/model.ts';
import type { MeshDelta } from './mesh-view.ts';
import { serviceName, type Service, type Workload } from './workload.ts';

/**
 * Deltas that wait for a slow reader, merged as they come: what is held is bounded by the size of the mesh, however long
 * the reader takes. Applying `take()` gives the same state as applying each delta in turn.
 */
export class DeltaMerger {
  readonly #workloads = new Map<string, Workload | undefined>();
  readonly #services = new Map<string, Service | undefined>();
  readonly #policies = new Map<string, AuthorizationPolicy | undefined>();
  readonly #routes = new Map<string, ServiceRoutes | undefined>();

  get empty(): boolean {
    return this.#workloads.size + this.#services.size + this.#policies.size + this.#routes.size === 0;
  }

  add(delta: MeshDelta): void {
    merge(this.#workloads, delta.removedWorkloads, delta.workloads, w => w.uid);
    merge(this.#services, delta.removedServices, delta.services, serviceName);
    merge(this.#policies, delta.removedPolicies, delta.policies, policyName);
    merge(this.#routes, delta.removedRoutes, delta.routes, serviceName);
  }

  /** Everything held, as one delta; nothing is held afterwards. */
  take(): MeshDelta {
    const delta = {
      workloads: present(this.#workloads),
      removedWorkloads: absent(this.#workloads),
      services: present(this.#services),
      removedServices: absent(this.#services),
      policies: present(this.#policies),
      removedPolicies: absent(this.#policies),
      routes: present(this.#routes),
      removedRoutes: absent(this.#routes),
    };
    for (const held of [this.#workloads, this.#services, this.#policies, this.#routes]) held.clear();
    return delta;
  }
}

function merge<T>(
  held: Map<string, T | undefined>,
  removed: readonly string[],
  changed: readonly T[],
  nameOf: (item: T) => string,
): void {
  for (const name of removed) put(held, name, undefined);
  for (const item of changed) put(held, nameOf(item), item);
}

/** Last in order, wherever it was before: of two workloads with one address the later one is found. */
function put<T>(held: Map<string, T | undefined>, name: string, item: T | undefined): void {
  held.delete(name);
  held.set(name, item);
}

function present<T>(held: ReadonlyMap<string, T | undefined>): T[] {
  return [...held.values()].filter(item => item !== undefined);
}

function absent<T>(held: ReadonlyMap<string, T | undefined>): string[] {
  return [...held].flatMap(([name, item]) => (item === undefined ? [name] : []));
}
