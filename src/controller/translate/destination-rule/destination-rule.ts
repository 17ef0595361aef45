import type { KubeObject } from '../../source/kube-object.ts';
import { readSpec, type Fields } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { type ExportDefault, readExportTo } from '../export-to.ts';
import { lookUpHost, lookUpPattern, type HostContext } from '../istio-host.ts';
import type { ServiceLookup } from '../service-lookup.ts';
import { readTrafficPolicy, type LeveledParts } from './policy-parts.ts';

/** How connections to services are made, and the named parts their endpoints fall into. */
export interface DestinationRuleTranslation {
  /** `<namespace>/<hostname>`; empty when there is no such service (yet). */
  readonly services: readonly string[];
  /** By a host with a wildcard: gives way to one that names the service. */
  readonly wildcard: boolean;
  /** Namespaces of the waypoints it is for; empty is all. */
  readonly exportTo: readonly string[];
  /** Labels of the waypoints of its namespace that it is for alone; undefined: of whichever. */
  readonly waypoints: ReadonlyMap<string, string> | undefined;
  readonly trafficPolicy: LeveledParts | undefined;
  readonly subsets: readonly SubsetRule[];
}

export interface SubsetRule {
  readonly name: string;
  /** A workload of the service is in the subset when it has all of them. */
  readonly labels: ReadonlyMap<string, string>;
  readonly trafficPolicy: LeveledParts | undefined;
}

export interface DestinationRuleOptions {
  readonly services: ServiceLookup;
  readonly clusterDomain: string;
  readonly exportDefault?: ExportDefault | undefined;
}

export function translateDestinationRule(
  object: KubeObject,
  options: DestinationRuleOptions,
): Translated<DestinationRuleTranslation> {
  const diagnostics = new Diagnostics(object);
  return diagnostics.conclude(readLoosely(object, options, diagnostics));
}

/** What can be read of it, whether it is good or not. */
export function readLoosely(
  object: KubeObject,
  options: DestinationRuleOptions,
  diagnostics = new Diagnostics(object),
): DestinationRuleTranslation {
  const { exportDefault, ...hosts } = options;
  const context: HostContext = { namespace: object.metadata.namespace, ...hosts };
  const read = (spec: Fields) => readDestinationRule(spec, context, exportDefault);
  return readSpec(object, diagnostics, read) ?? NOTHING;
}

const NOTHING: DestinationRuleTranslation = {
  services: [],
  wildcard: false,
  exportTo: [],
  waypoints: undefined,
  trafficPolicy: undefined,
  subsets: [],
};

function readDestinationRule(
  spec: Fields,
  context: HostContext,
  exportDefault: ExportDefault | undefined,
): DestinationRuleTranslation {
  const host = spec.requiredString('host');
  const wildcard = host.includes('*');
  const { namespace } = context;
  const subsets = spec.objects('subsets', subset => readSubset(subset, namespace));
  const names = subsets.map(subset => subset.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    spec.reject('subsets', `names the subset "${twice}" twice`, 'give each its own name');
  return {
    services: servicesOf(spec, host, wildcard, context),
    wildcard,
    exportTo: readExportTo(spec, namespace, exportDefault),
    waypoints: spec.object('workloadSelector', selector => selector.stringMap('matchLabels')),
    trafficPolicy: spec.object('trafficPolicy', policy => readTrafficPolicy(policy, namespace)),
    subsets,
  };
}

function servicesOf(spec: Fields, host: string, wildcard: boolean, context: HostContext): readonly string[] {
  if (host === '') return [];
  const consequence = 'the rule has no effect';
  if (wildcard) return lookUpPattern(spec, 'host', host, context, consequence).map(({ key }) => key);
  const service = lookUpHost(spec, 'host', host, context, consequence);
  return service === undefined ? [] : [service.key];
}

function readSubset(fields: Fields, namespace: string): SubsetRule {
  return {
    name: fields.requiredString('name'),
    labels: fields.stringMap('labels'),
    trafficPolicy: fields.object('trafficPolicy', policy => readTrafficPolicy(policy, namespace)),
  };
}
