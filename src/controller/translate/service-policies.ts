import type { ServiceRoutes } from '#shared/route/model.ts';
import type { PortTrafficPolicy, TrafficPolicy } from '#shared/route/traffic-policy.ts';

/** The traffic policies of a service: its own, those of its ports, and those of its subsets and their ports. */
export type ServicePolicies = Pick<ServiceRoutes, 'portPolicies' | 'subsets' | 'trafficPolicy'>;

export function allPolicies({
  portPolicies,
  subsets,
  trafficPolicy,
}: ServicePolicies): readonly TrafficPolicy[] {
  return [
    trafficPolicy,
    ...portPolicies.map(({ policy }) => policy),
    ...subsets.flatMap(subset => [
      ...(subset.trafficPolicy === undefined ? [] : [subset.trafficPolicy]),
      ...subset.portPolicies.map(({ policy }) => policy),
    ]),
  ];
}

/** @returns the same with each of its policies changed, and nothing but them */
export function changePolicies(
  { portPolicies, subsets, trafficPolicy }: ServicePolicies,
  change: (policy: TrafficPolicy) => TrafficPolicy,
): ServicePolicies {
  const ofPorts = (ports: readonly PortTrafficPolicy[]): readonly PortTrafficPolicy[] =>
    ports.map(({ policy, port }) => ({ port, policy: change(policy) }));
  return {
    trafficPolicy: change(trafficPolicy),
    portPolicies: ofPorts(portPolicies),
    subsets: subsets.map(subset => ({
      ...subset,
      trafficPolicy: subset.trafficPolicy && change(subset.trafficPolicy),
      portPolicies: ofPorts(subset.portPolicies),
    })),
  };
}
