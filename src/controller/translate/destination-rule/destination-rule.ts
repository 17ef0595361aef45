import type { Subset } from '#shared/route/model.ts';
import { NO_TRAFFIC_POLICY, type TrafficPolicy } from '#shared/route/traffic-policy.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { readSpec, type Fields } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { lookUpHost, type HostContext } from '../istio-host.ts';
import type { ServiceLookup } from '../service-lookup.ts';
import { readTrafficPolicy } from './traffic-policy.ts';

/** How connections to one service are made, and the named parts its endpoints fall into. */
export interface DestinationRuleTranslation {
  /** `<namespace>/<hostname>`; undefined when there is no such service (yet). */
  readonly service: string | undefined;
  readonly trafficPolicy: TrafficPolicy;
  readonly subsets: readonly SubsetRule[];
}

export interface SubsetRule {
  readonly name: string;
  /** A workload of the service is in the subset when it has all of them. */
  readonly labels: ReadonlyMap<string, string>;
  readonly trafficPolicy: TrafficPolicy | undefined;
}

export interface DestinationRuleOptions {
  readonly services: ServiceLookup;
  readonly clusterDomain: string;
}

export function translateDestinationRule(
  object: KubeObject,
  options: DestinationRuleOptions,
): Translated<DestinationRuleTranslation> {
  const diagnostics = new Diagnostics(object);
  const context: HostContext = { namespace: object.metadata.namespace, ...options };
  const translation = readSpec(object, diagnostics, spec => readDestinationRule(spec, context));
  return diagnostics.conclude(
    translation ?? { service: undefined, trafficPolicy: NO_TRAFFIC_POLICY, subsets: [] },
  );
}

function readDestinationRule(spec: Fields, context: HostContext): DestinationRuleTranslation {
  const host = spec.requiredString('host');
  const service = host === '' ? undefined : lookUpHost(spec, 'host', host, context, 'the rule has no effect');
  spec.unsupported('exportTo', 'remove it; a DestinationRule holds for the whole mesh');
  spec.refused('workloadSelector', 'remove it; a DestinationRule holds for every client');
  const trafficPolicy = spec.object('trafficPolicy', readTrafficPolicy) ?? NO_TRAFFIC_POLICY;
  const subsets = spec.objects('subsets', readSubset);
  const names = subsets.map(subset => subset.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    spec.reject('subsets', `names the subset "${twice}" twice`, 'give each its own name');
  return { service: service?.key, trafficPolicy, subsets };
}

function readSubset(fields: Fields): SubsetRule {
  return {
    name: fields.requiredString('name'),
    labels: fields.stringMap('labels'),
    trafficPolicy: fields.object('trafficPolicy', readTrafficPolicy),
  };
}

/** The subset as waypoints need it: which workloads, not which labels. */
export function resolveSubset(
  subset: SubsetRule,
  workloads: readonly { readonly uid: string; readonly labels: Readonly<Record<string, string>> }[],
): Subset {
  const required = [...subset.labels];
  const members = workloads.filter(({ labels }) => required.every(([name, value]) => labels[name] === value));
  return {
    name: subset.name,
    trafficPolicy: subset.trafficPolicy,
    portPolicies: [],
    workloads: members.map(({ uid }) => uid),
  };
}
