import { compile, type CompiledPolicySet } from '#shared/authz/compile.ts';
import type { AuthorizationPolicy } from '#shared/authz/policy.ts';
import type { MeshView } from '#shared/workload/mesh-view.ts';
import type { Workload } from '#shared/workload/workload.ts';

/** Compiled policies of local workloads. The store gives the same list while the same policies apply: that is the key. */
export class PolicyCache {
  readonly #compiled = new WeakMap<readonly AuthorizationPolicy[], CompiledPolicySet>();

  of(view: MeshView, workload: Workload): CompiledPolicySet {
    const policies = view.policiesFor(workload);
    let compiled = this.#compiled.get(policies);
    if (compiled === undefined) this.#compiled.set(policies, (compiled = compile(policies)));
    return compiled;
  }
}
