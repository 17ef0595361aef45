import type { PortTrafficPolicy, TlsOrigination, TrafficPolicy } from '#shared/route/traffic-policy.ts';
import { effectivePolicy } from '#shared/route/effective-policy.ts';
import { changePolicies, type ServicePolicies } from '../translate/service-policies.ts';
import type { ServiceTls } from './backend-tls.ts';

/** Where a DestinationRule has said itself what TLS is spoken, and a BackendTLSPolicy does not hold for that. */
export interface TlsOverride {
  /** Key of the policy. */
  readonly policy: string;
  /** `<namespace>/<hostname>`. */
  readonly service: string;
  /** Of those the policy is for. */
  readonly ports: readonly number[];
  /** These are all of them. */
  readonly isWhole: boolean;
  /** Those of which it is so on other ports alone. */
  readonly subsets: readonly string[];
  /** `DestinationRule shop/api`. */
  readonly rules: readonly string[];
}

/**
 * The policies of a service with what BackendTLSPolicies say. What a DestinationRule says of TLS goes before, all of it, as in
 * Istio: two statements are never mixed.
 */
export function withBackendTls(policies: ServicePolicies, { ports, whole }: ServiceTls): ServicePolicies {
  const filled = whole === undefined ? policies : changePolicies(policies, policy => fill(policy, whole.tls));
  let made = filled;
  for (const [port, { tls }] of ports) made = atPort(made, policies, port, tls);
  return made;
}

function fill(policy: TrafficPolicy, tls: TlsOrigination): TrafficPolicy {
  return { ...policy, tls: policy.tls ?? tls };
}

/** @param original without any BackendTLSPolicy: what that of the whole says is not for this port */
function atPort(
  made: ServicePolicies,
  original: ServicePolicies,
  port: number,
  tls: TlsOrigination,
): ServicePolicies {
  return {
    ...made,
    portPolicies: replaced(made.portPolicies, port, fill(effectivePolicy(original, port, undefined), tls)),
    subsets: made.subsets.map((subset, index) => {
      const before = original.subsets[index];
      const own = before?.portPolicies.find(one => one.port === port)?.policy ?? before?.trafficPolicy;
      // Without a policy of its own it has that of the service's port.
      if (own === undefined) return subset;
      return { ...subset, portPolicies: replaced(subset.portPolicies, port, fill(own, tls)) };
    }),
  };
}

function replaced(
  policies: readonly PortTrafficPolicy[],
  port: number,
  policy: TrafficPolicy,
): readonly PortTrafficPolicy[] {
  return [...policies.filter(one => one.port !== port), { port, policy }];
}

/** @param original without any BackendTLSPolicy @param rules those that say something of TLS */
export function tlsOverrides(
  original: ServicePolicies,
  held: ServiceTls,
  service: { readonly key: string; readonly ports: readonly number[] },
  rules: readonly string[],
): readonly TlsOverride[] {
  const byPolicy = Map.groupBy(service.ports, port => (held.ports.get(port) ?? held.whole)?.policy);
  return [...byPolicy].flatMap(([policy, its]) => {
    if (policy === undefined) return [];
    const says = (port: number, subset?: string): boolean =>
      effectivePolicy(original, port, subset).tls !== undefined;
    const ports = its.filter(port => says(port));
    const rest = its.filter(port => !says(port));
    const subsets = original.subsets
      .map(({ name }) => name)
      .filter(name => rest.some(port => says(port, name)));
    if (ports.length === 0 && subsets.length === 0) return [];
    return [{ policy, service: service.key, ports, isWhole: rest.length === 0, subsets, rules }];
  });
}
