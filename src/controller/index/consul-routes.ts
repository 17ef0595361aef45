import type { Subset } from '#shared/route/model.ts';
import type { TrafficPolicy } from '#shared/route/traffic-policy.ts';
import { chainRules, type ConsulLookup, failoverTargets } from '../translate/consul/discovery-chain.ts';
import type { ServiceResolver } from '../translate/consul/service-resolver.ts';
import {
  effectiveRule,
  type EffectiveRule,
  type LabelledWorkload,
} from '../translate/destination-rule/effective-rule.ts';
import { type Diagnostic, objectName } from '../translate/diagnostic.ts';
import type { ObjectRoutes } from '../translate/merge-rules.ts';
import type { WorkloadSpec } from '../translate/pod-to-workload/workload-spec.ts';
import type { ServiceLookup } from '../translate/service-lookup.ts';
import type { MeshObjects } from './mesh-objects.ts';
import type { Parsed } from './parsed-kind.ts';

/** Routes by Consul's kinds, by service: of the first of router, splitter and resolver that is there. */
export function consulRoutes(
  objects: MeshObjects,
): readonly (readonly [service: string, routes: ObjectRoutes])[] {
  const lookup: ConsulLookup = {
    router: (namespace, name) => objects.serviceRouters.get(namespace, name)?.value,
    splitter: (namespace, name) => objects.serviceSplitters.get(namespace, name)?.value,
    resolver: (namespace, name) => objects.serviceResolvers.get(namespace, name)?.value,
  };
  const seen = new Set<string>();
  const found: (readonly [string, ObjectRoutes])[] = [];
  for (const kind of [objects.serviceRouters, objects.serviceSplitters, objects.serviceResolvers]) {
    for (const { object } of kind.all()) {
      const { creationTimestamp, name, namespace } = object.metadata;
      const service = objects.service(namespace, name);
      if (service === undefined || seen.has(service.key)) continue;
      seen.add(service.key);
      const rules = chainRules(
        `${object.kind}/${namespace}/${name}`,
        namespace,
        name,
        service,
        lookup,
        objects,
      );
      if (rules.length === 0) continue;
      const routes: ObjectRoutes = {
        dialect: 'Consul',
        object: objectName(object),
        field: 'metadata.name',
        creationTimestamp,
        wildcard: false,
        rules,
        streamRules: [],
      };
      found.push([service.key, routes]);
    }
  }
  return found;
}

/** The policies and subsets of a service by its ServiceResolver. */
export function resolverPolicy(
  { object, value }: Parsed<ServiceResolver>,
  endpoints: readonly WorkloadSpec[],
  services: ServiceLookup,
): EffectiveRule {
  const made = effectiveRule(value.parts, value.subsets, endpoints.map(withMeta));
  const failover = (subset: string | undefined) =>
    failoverTargets(value, subset, object.metadata.name, services);
  const policyFor = (subset: Subset): TrafficPolicy | undefined =>
    value.failover.has(subset.name)
      ? { ...(subset.trafficPolicy ?? made.trafficPolicy), failover: failover(subset.name) }
      : subset.trafficPolicy;
  return {
    trafficPolicy: { ...made.trafficPolicy, failover: failover(undefined) },
    portPolicies: made.portPolicies,
    subsets: made.subsets.map(subset => ({ ...subset, trafficPolicy: policyFor(subset) })),
  };
}

/** What filters of subsets compare: the metadata that annotations of a pod say, and its labels for what they leave out. */
function withMeta({ consulMeta, labels, uid }: WorkloadSpec): LabelledWorkload {
  return { uid, labels: { ...labels, ...consulMeta } };
}

/** Subsets and policies of two dialects are not mixed: those of the DestinationRule hold. */
export function resolverRefused({ object }: Parsed<ServiceResolver>, service: string): Diagnostic {
  return {
    object: objectName(object),
    field: 'metadata.name',
    value: JSON.stringify(service),
    message: 'its subsets and policies have no effect: a DestinationRule is for the same service',
    fix: 'keep one of the two',
    severity: 'ignored',
  };
}
