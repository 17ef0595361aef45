import { children, text } from '#shared/config/json-fields.ts';
import type { JsonObject } from '#shared/config/json.ts';
import type { DumpedPolicy, DumpedWorkload } from '../../config-dump.ts';
import { shortName } from '../../describe/hops.ts';
import { MESHED, workloadKey } from './inventory.ts';

/** A policy, and where it is held. */
export interface KnownPolicy {
  readonly namespace: string;
  readonly name: string;
  readonly action: string;
  readonly scope: string;
  readonly dryRun: boolean;
  readonly rules: number;
  /** By ztunnels, of these workloads. */
  readonly workloads: readonly string[];
  /** By waypoints, of these services. */
  readonly services: readonly string[];
}

/**
 * Pure.
 * @param routes what waypoints know of their services, of a `/config_dump` each
 */
export function buildPolicies(
  policies: readonly DumpedPolicy[],
  workloads: readonly DumpedWorkload[],
  routes: readonly JsonObject[],
): KnownPolicy[] {
  const held = new Map<string, KnownPolicy>();
  for (const policy of policies) {
    const key = `${policy.namespace}/${policy.name}`;
    held.set(key, { ...knownPolicy(policy.raw), workloads: boundTo(policy, workloads) });
  }
  for (const service of routes) {
    const name = shortName(`${text(service, 'namespace')}/${text(service, 'hostname')}`);
    for (const raw of children(service, 'authorizationPolicies')) {
      const key = `${text(raw, 'namespace')}/${text(raw, 'name')}`;
      const policy = held.get(key) ?? knownPolicy(raw);
      held.set(key, { ...policy, services: [...new Set([...policy.services, name])].sort() });
    }
  }
  return [...held].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, policy]) => policy);
}

function knownPolicy(raw: JsonObject): KnownPolicy {
  return {
    namespace: text(raw, 'namespace'),
    name: text(raw, 'name'),
    action: text(raw, 'action'),
    scope: text(raw, 'scope'),
    dryRun: raw['dryRun'] === true,
    rules: children(raw, 'rules').length,
    workloads: [],
    services: [],
  };
}

/** Those whose ztunnels hold it: of workloads in the mesh. */
function boundTo(policy: DumpedPolicy, workloads: readonly DumpedWorkload[]): readonly string[] {
  const key = `${policy.namespace}/${policy.name}`;
  const scope = text(policy.raw, 'scope');
  const isBound = (w: DumpedWorkload): boolean => {
    if (w.protocol !== MESHED) return false;
    if (scope === 'global') return true;
    if (scope === 'namespace') return w.namespace === policy.namespace;
    const own = w.raw['authorizationPolicies'];
    return Array.isArray(own) && own.includes(key);
  };
  return [...new Set(workloads.filter(isBound).map(workloadKey))].sort();
}
