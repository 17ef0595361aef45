import type { PolicyReach } from '../translate/authorization-policy/policy-reach.ts';
import type { PolicyTarget } from '../translate/authorization-policy/target.ts';
import { objectAt, textAt } from '../translate/loose-fields.ts';
import { isSelected } from '../translate/pod-to-workload/pod-to-workload.ts';
import type { WorkloadSpec } from '../translate/pod-to-workload/workload-spec.ts';
import type { ServiceSpecPort } from '../translate/service/service-spec.ts';
import type { MeshObjects } from './mesh-objects.ts';

/** A service, or a workload by its own addresses, as policies for waypoints see it. */
export interface PolicySubject {
  readonly kind: 'Service' | 'ServiceEntry' | 'workload';
  readonly namespace: string;
  readonly name: string;
  readonly waypoint: { readonly namespace: string; readonly name: string } | undefined;
  readonly endpoints: readonly WorkloadSpec[];
  readonly ports: readonly ServiceSpecPort[];
}

export function appliesTo(policy: PolicyReach, subject: PolicySubject, objects: MeshObjects): boolean {
  if (policy.targets.length > 0)
    return policy.targets.some(target => isTarget(target, policy.namespace, subject, objects));
  if (policy.scope === 'global') return true;
  if (policy.scope === 'namespace') return policy.namespace === subject.namespace;
  return subject.endpoints.some(endpoint => selects(policy, endpoint));
}

export function selects(policy: Omit<PolicyReach, 'scope'>, spec: WorkloadSpec): boolean {
  if (policy.selects === undefined) return false;
  const inReach = policy.selectsEveryNamespace || policy.namespace === spec.namespace;
  return inReach && isSelected(policy.selects, spec.labels);
}

function isTarget(
  target: PolicyTarget,
  policyNamespace: string,
  { kind, name, namespace, waypoint }: PolicySubject,
  objects: MeshObjects,
): boolean {
  switch (target.kind) {
    case 'Service':
    case 'ServiceEntry':
      return target.kind === kind && target.name === name && policyNamespace === namespace;
    case 'Gateway':
      return target.name === waypoint?.name && policyNamespace === waypoint.namespace;
    case 'GatewayClass':
      return (
        waypoint !== undefined &&
        policyNamespace === objects.options.rootNamespace &&
        target.name === classOf(waypoint, objects)
      );
  }
}

function classOf(
  { name, namespace }: { readonly namespace: string; readonly name: string },
  objects: MeshObjects,
): string | undefined {
  return textAt(objectAt(objects.gateways.get(namespace, name)?.object.spec), 'gatewayClassName');
}
