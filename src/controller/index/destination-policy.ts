import type { DestinationRuleTranslation } from '../translate/destination-rule/destination-rule.ts';
import {
  effectiveRule,
  type EffectiveRule,
  type LabelledWorkload,
} from '../translate/destination-rule/effective-rule.ts';
import { refusesConnections } from '../translate/destination-rule/wanted-tls.ts';
import type { LeveledParts } from '../translate/destination-rule/policy-parts.ts';
import type { Diagnostic } from '../translate/diagnostic.ts';
import { objectName } from '../translate/diagnostic.ts';
import type { Parsed } from './parsed-kind.ts';

/** Whose DestinationRules hold for a service: as Istio, those of who uses it, of its own, and of the mesh. */
export interface PolicyReach {
  /** `<namespace>/<hostname>`. */
  readonly service: string;
  readonly namespace: string;
  /** Of its waypoint, which is the client here. */
  readonly waypoint: WaypointLabels | undefined;
  readonly rootNamespace: string;
}

export interface WaypointLabels {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface DestinationPolicy extends EffectiveRule {
  /** Some rule is applied. Those of other namespaces, which anybody may write, are not. */
  readonly isApplied: boolean;
  /** Said about rules that are not applied. */
  readonly diagnostics: readonly Diagnostic[];
  /** Those that say something of TLS, `DestinationRule shop/api`. */
  readonly tlsRules: readonly string[];
}

/**
 * The rules of the first namespace that has some: the waypoint's, the service's, the root. Among them those that select the
 * waypoint go before the others, then those that name the service before wildcards, the oldest first: its traffic policy
 * counts, the others add their subsets.
 */
export function destinationPolicy(
  rules: readonly Parsed<DestinationRuleTranslation>[],
  reach: PolicyReach,
  endpoints: readonly LabelledWorkload[],
): DestinationPolicy {
  const waypoint = reach.waypoint?.namespace ?? reach.namespace;
  const levels = [waypoint, reach.namespace, reach.rootNamespace];
  const inReach = rules.filter(({ object }) => levels.includes(object.metadata.namespace));
  const exported = inReach.filter(
    ({ value }) => value.exportTo.length === 0 || value.exportTo.includes(waypoint),
  );
  const unselected = exported.filter(rule => !selectsWaypoint(rule, reach.waypoint));
  const holding = exported.filter(rule => !unselected.includes(rule));
  const level = levels.find(one => holding.some(({ object }) => object.metadata.namespace === one));
  const selecting = holding.filter(
    ({ object, value }) => object.metadata.namespace === level && value.waypoints !== undefined,
  );
  const visible = selecting.length > 0 ? selecting : holding;
  const used = visible
    .filter(({ object, value }) => object.metadata.namespace === level && !isOutdone(value, level, visible))
    .sort((a, b) => (age(a) < age(b) ? -1 : 1));
  const subsets = new Map<string, DestinationRuleTranslation['subsets'][number]>();
  for (const { value } of used)
    for (const s of value.subsets) if (!subsets.has(s.name)) subsets.set(s.name, s);
  const holder = used.find(({ value }) => value.trafficPolicy !== undefined);
  const parts = holder?.value.trafficPolicy;
  return {
    ...effectiveRule(parts, [...subsets.values()], endpoints),
    isApplied: used.length > 0,
    diagnostics: [
      ...rules.filter(rule => !exported.includes(rule)).map(rule => outOfReach(rule, reach, waypoint)),
      ...unselected.map(rule => selectsOthers(rule, reach)),
      ...(holder !== undefined && parts !== undefined && refusesConnections(parts)
        ? [refuses(holder, reach)]
        : []),
    ],
    tlsRules: used
      .filter(
        ({ value }) =>
          (value.trafficPolicy === parts && saysTls(parts)) ||
          value.subsets.some(s => subsets.get(s.name) === s && saysTls(s.trafficPolicy)),
      )
      .map(({ object }) => objectName(object)),
  };
}

/** As in Istio not beyond its own namespace. */
function selectsWaypoint(
  { object, value }: Parsed<DestinationRuleTranslation>,
  waypoint: WaypointLabels | undefined,
): boolean {
  if (value.waypoints === undefined) return true;
  if (waypoint?.namespace !== object.metadata.namespace) return false;
  return [...value.waypoints].every(([key, label]) => waypoint.labels[key] === label);
}

function selectsOthers({ object }: Parsed<DestinationRuleTranslation>, reach: PolicyReach): Diagnostic {
  return {
    object: objectName(object),
    field: 'spec.workloadSelector',
    value: JSON.stringify(reach.service),
    message: `does not select the waypoint of ${reach.service}, which is the client here: it has no effect there`,
    fix: 'use labels of the waypoint, such as gateway.networking.k8s.io/gateway-name, or remove it',
    severity: 'ignored',
  };
}

function refuses({ object }: Parsed<DestinationRuleTranslation>, { service }: PolicyReach): Diagnostic {
  return {
    object: objectName(object),
    field: 'spec.trafficPolicy',
    value: JSON.stringify(service),
    message: `asks for TLS and was never valid: connections to ${service} it asks it for are refused (503), not made in plaintext`,
    fix: 'correct what is rejected, or remove tls',
    severity: 'rejected',
  };
}

function saysTls(level: LeveledParts | undefined): boolean {
  return level !== undefined && [level, ...level.ports.map(({ parts }) => parts)].some(one => one.tls);
}

/** A wildcard, where a rule of the same namespace names the service. */
function isOutdone(
  rule: DestinationRuleTranslation,
  level: string | undefined,
  visible: readonly Parsed<DestinationRuleTranslation>[],
): boolean {
  return (
    rule.wildcard &&
    visible.some(({ object, value }) => object.metadata.namespace === level && !value.wildcard)
  );
}

function age({ object }: Parsed<DestinationRuleTranslation>): string {
  const { creationTimestamp, name } = object.metadata;
  return `${creationTimestamp} ${name}`;
}

function outOfReach(
  { object, value }: Parsed<DestinationRuleTranslation>,
  reach: PolicyReach,
  waypoint: string,
): Diagnostic {
  const { namespace } = object.metadata;
  const hidden =
    value.exportTo.length > 0 && [waypoint, reach.namespace, reach.rootNamespace].includes(namespace);
  return {
    object: objectName(object),
    field: hidden ? 'spec.exportTo' : 'spec.host',
    value: JSON.stringify(reach.service),
    message: hidden
      ? `the rule is not exported to ${waypoint}, where the waypoint of ${reach.service} is: it has no effect there`
      : `a rule of namespace ${namespace} has no effect on ${reach.service}`,
    fix: hidden
      ? `add ${waypoint} to exportTo`
      : `move it to ${reach.namespace}, or to ${reach.rootNamespace} for the whole mesh`,
    severity: 'ignored',
  };
}
