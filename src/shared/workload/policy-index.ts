import { policyName, type AuthorizationPolicy, type PolicyScope } from '../authz/policy.ts';
import type { Workload } from './workload.ts';

interface Applied {
  readonly generation: number;
  readonly policies: readonly AuthorizationPolicy[];
}

/** Policies by name and by the traffic they apply to. */
export class PolicyIndex {
  readonly #byName = new Map<string, AuthorizationPolicy>();
  readonly #global = new Map<string, AuthorizationPolicy>();
  readonly #byNamespace = new Map<string, Map<string, AuthorizationPolicy>>();
  readonly #applied = new WeakMap<Workload, Applied>();
  #generation = 0;

  get(name: string): AuthorizationPolicy | undefined {
    return this.#byName.get(name);
  }

  values(): IterableIterator<AuthorizationPolicy> {
    return this.#byName.values();
  }

  set(name: string, policy: AuthorizationPolicy): void {
    this.remove(name);
    this.#generation++;
    this.#byName.set(name, policy);
    this.#scopeOf(policy.scope, policy.namespace)?.set(name, policy);
  }

  remove(name: string): boolean {
    const policy = this.#byName.get(name);
    if (policy === undefined) return false;
    this.#generation++;
    this.#byName.delete(name);
    this.#scopeOf(policy.scope, policy.namespace)?.delete(name);
    return true;
  }

  appliedTo(workload: Workload): readonly AuthorizationPolicy[] {
    const known = this.#applied.get(workload);
    if (known?.generation === this.#generation) return known.policies;
    const fresh = this.#collect(workload);
    const policies = known !== undefined && sameItems(known.policies, fresh) ? known.policies : fresh;
    this.#applied.set(workload, { generation: this.#generation, policies });
    return policies;
  }

  #collect(workload: Workload): readonly AuthorizationPolicy[] {
    const policies = [
      ...this.#global.values(),
      ...(this.#byNamespace.get(workload.namespace)?.values() ?? []),
    ];
    for (const name of workload.authorizationPolicies) {
      const policy = this.#byName.get(name);
      // A policy whose scope is wider is in already; the workload's list is about selectors alone.
      if (policy?.scope === 'workload_selector') policies.push(policy);
    }
    return policies.sort((a, b) => (policyName(a) < policyName(b) ? -1 : 1));
  }

  #scopeOf(scope: PolicyScope, namespace: string): Map<string, AuthorizationPolicy> | undefined {
    switch (scope) {
      case 'global':
        return this.#global;
      case 'namespace': {
        let policies = this.#byNamespace.get(namespace);
        if (policies === undefined)
          this.#byNamespace.set(namespace, (policies = new Map<string, AuthorizationPolicy>()));
        return policies;
      }
      case 'workload_selector':
        return undefined;
    }
  }
}

function sameItems(a: readonly AuthorizationPolicy[], b: readonly AuthorizationPolicy[]): boolean {
  return a.length === b.length && a.every((policy, i) => policy === b[i]);
}
