import type { ServiceRoutes } from '#shared/route/model.ts';
import type { LoadBalancer, TrafficPolicy } from '#shared/route/traffic-policy.ts';
import type { KubeObject } from '../source/kube-object.ts';
import { type Diagnostic, Diagnostics } from './diagnostic.ts';
import { LOAD_BALANCER } from './mesh-labels.ts';

type Policies = Pick<ServiceRoutes, 'portPolicies' | 'subsets' | 'trafficPolicy'>;

export interface BalancedPolicies {
  readonly policies: Policies;
  readonly diagnostics: readonly Diagnostic[];
}

const KINDS: ReadonlyMap<string, LoadBalancer> = new Map([
  ['least-request', { kind: 'least_request' }],
  ['round-robin', { kind: 'round_robin' }],
  ['random', { kind: 'random' }],
  ['peak-ewma', { kind: 'peak_ewma' }],
]);
const FIELD = `metadata.annotations.${LOAD_BALANCER}`;

/** The policies of a Service with the load balancer of its annotation. One that a policy names itself holds. */
export function withLoadBalancer(service: KubeObject, policies: Policies): BalancedPolicies {
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
  const balanced = (policy: TrafficPolicy): TrafficPolicy => ({
    ...policy,
    loadBalancer: policy.loadBalancer ?? balancer,
  });
  const ofPorts = (ports: Policies['portPolicies']): Policies['portPolicies'] =>
    ports.map(({ policy, port }) => ({ port, policy: balanced(policy) }));
  const subsets = policies.subsets.map(subset => ({
    ...subset,
    trafficPolicy: subset.trafficPolicy && balanced(subset.trafficPolicy),
    portPolicies: ofPorts(subset.portPolicies),
  }));
  const trafficPolicy = balanced(policies.trafficPolicy);
  return {
    policies: { trafficPolicy, portPolicies: ofPorts(policies.portPolicies), subsets },
    diagnostics: said.found,
  };
}
