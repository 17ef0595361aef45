import type { PortTrafficPolicy, TrafficPolicy } from '#shared/route/traffic-policy.ts';
import { DEFAULT_POOL } from '#shared/route/traffic-policy.ts';
import type { Subset } from '#shared/route/model.ts';
import { NO_PARTS, type LeveledParts, type LocalityRule, type PolicyParts } from './policy-parts.ts';
import type { SubsetRule } from './destination-rule.ts';

/** Something that runs behind a service, as far as labels go. */
export interface LabelledWorkload {
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** The policies of a service and of its subsets, each whole: what is inherited is put in. */
export interface EffectiveRule {
  readonly trafficPolicy: TrafficPolicy;
  readonly portPolicies: readonly PortTrafficPolicy[];
  readonly subsets: readonly Subset[];
}

/**
 * As Istio: a subset's parts take the place of the service's; the settings of a port take the place of both, and what they
 * do not set is the default.
 */
export function effectiveRule(
  parts: LeveledParts | undefined,
  subsets: readonly SubsetRule[],
  workloads: readonly LabelledWorkload[],
): EffectiveRule {
  const service = parts ?? { ...NO_PARTS, ports: [] };
  const toPolicy = (of: PolicyParts): TrafficPolicy => policyOf(of, workloads);
  return {
    trafficPolicy: toPolicy(service),
    portPolicies: service.ports.map(({ port }) => ({
      port,
      policy: toPolicy(atPort(service, service, port)),
    })),
    subsets: subsets.map(subset => ({
      name: subset.name,
      workloads: membersOf(subset, workloads),
      ...subsetPolicies(service, subset.trafficPolicy, toPolicy),
    })),
  };
}

function subsetPolicies(
  service: LeveledParts,
  own: LeveledParts | undefined,
  toPolicy: (parts: PolicyParts) => TrafficPolicy,
): Pick<Subset, 'trafficPolicy' | 'portPolicies'> {
  if (own === undefined) return { trafficPolicy: undefined, portPolicies: [] };
  const ports = new Set([...service.ports, ...own.ports].map(({ port }) => port));
  return {
    trafficPolicy: toPolicy(override(service, own)),
    portPolicies: [...ports].map(port => ({
      port,
      policy: toPolicy(atPort(own, override(atPort(service, service, port), own), port)),
    })),
  };
}

function override(base: PolicyParts, own: PolicyParts): PolicyParts {
  return {
    balancing: own.balancing ?? base.balancing,
    pool: own.pool ?? base.pool,
    outlierDetection: own.outlierDetection ?? base.outlierDetection,
    tls: own.tls ?? base.tls,
    retryConcurrency: own.retryConcurrency ?? base.retryConcurrency,
    proxyProtocol: own.proxyProtocol ?? base.proxyProtocol,
    tunnel: own.tunnel ?? base.tunnel,
  };
}

/** `base` with the settings `level` has for a port. */
function atPort(level: LeveledParts, base: PolicyParts, port: number): PolicyParts {
  const found = level.ports.find(candidate => candidate.port === port);
  if (found === undefined) return base;
  // Of these a port has none of its own.
  const { proxyProtocol, retryConcurrency, tunnel } = base;
  return { ...found.parts, retryConcurrency, proxyProtocol, tunnel };
}

function policyOf(parts: PolicyParts, workloads: readonly LabelledWorkload[]): TrafficPolicy {
  const { balancing, outlierDetection, pool, proxyProtocol, retryConcurrency, tls, tunnel } = parts;
  return {
    ...(pool ?? DEFAULT_POOL),
    loadBalancer: balancing?.loadBalancer,
    slowStart: balancing?.slowStart,
    locality: balancing?.locality && resolveLocality(balancing.locality, workloads),
    outlierDetection,
    failureAccrual: undefined,
    tls,
    proxyProtocol,
    tunnel,
    retryBudget: undefined,
    retryConcurrency,
    session: undefined,
    failover: [],
  };
}

function resolveLocality(
  rule: LocalityRule,
  workloads: readonly LabelledWorkload[],
): TrafficPolicy['locality'] {
  return {
    ...rule,
    failoverPriority: rule.failoverPriority.map(key => {
      if (key.kind !== 'label') return key;
      const members = workloads.filter(({ labels }) => labels[key.name] === key.value);
      return { kind: 'workloads', workloads: members.map(({ uid }) => uid) };
    }),
  };
}

/** The workloads with all labels of a subset, by uid: labels need not travel. */
function membersOf(subset: SubsetRule, workloads: readonly LabelledWorkload[]): readonly string[] {
  const required = [...subset.labels];
  const members = workloads.filter(({ labels }) => required.every(([name, value]) => labels[name] === value));
  return members.map(({ uid }) => uid);
}
