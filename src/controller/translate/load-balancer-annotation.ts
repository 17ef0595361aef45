import type { LoadBalancer } from '#shared/route/traffic-policy.ts';
import type { KubeObject } from '../source/kube-object.ts';
import { type Diagnostic, Diagnostics } from './diagnostic.ts';
import { LOAD_BALANCER } from './mesh-labels.ts';
import { changePolicies, type ServicePolicies } from './service-policies.ts';

export interface BalancedPolicies {
  readonly policies: ServicePolicies;
  readonly diagnostics: readonly Diagnostic[];
}

const KINDS: ReadonlyMap<string, LoadBalancer> = new Map([
  ['least-request', { kind: 'least_request', choices: undefined }],
  ['round-robin', { kind: 'round_robin' }],
  ['random', { kind: 'random' }],
  ['peak-ewma', { kind: 'peak_ewma', penalty: undefined }],
]);
const FIELD = `metadata.annotations.${LOAD_BALANCER}`;

/** The policies of a Service with the load balancer of its annotation. One that a policy names itself holds. */
export function withLoadBalancer(service: KubeObject, policies: ServicePolicies): BalancedPolicies {
  const value = service.metadata.annotations[LOAD_BALANCER];
  if (value === undefined) return { policies, diagnostics: [] };
  const said = new Diagnostics(service);
  const balancer = KINDS.get(value);
  if (balancer === undefined) {
    said.ignore(FIELD, value, 'is no load balancer', `use one of ${[...KINDS.keys()].join(', ')}`);
    return { policies, diagnostics: said.found };
  }
  const { loadBalancer: own } = policies.trafficPolicy;
  if (own !== undefined) {
    const message = `has no effect: a DestinationRule or ServiceResolver of the service says ${own.kind}`;
    said.ignore(FIELD, value, message, 'keep one of the two');
  }
  const balanced = changePolicies(policies, policy => ({
    ...policy,
    loadBalancer: policy.loadBalancer ?? balancer,
  }));
  return { policies: balanced, diagnostics: said.found };
}
