import type { DestinationRuleTranslation } from '../translate/destination-rule/destination-rule.ts';
import {
  effectiveRule,
  type EffectiveRule,
  type LabelledWorkload,
} from '../translate/destination-rule/effective-rule.ts';
import type { Diagnostic } from '../translate/diagnostic.ts';
import { objectName } from '../translate/diagnostic.ts';
import type { Parsed } from './parsed-kind.ts';

/** Whose DestinationRules hold for a service: as Istio, those of who uses it, of its own, and of the mesh. */
export interface PolicyReach {
  /** `<namespace>/<hostname>`. */
  readonly service: string;
  readonly namespace: string;
  /** Where its waypoint is, which is the client here. */
  readonly waypointNamespace: string | undefined;
  readonly rootNamespace: string;
}

export interface DestinationPolicy extends EffectiveRule {
  /** Said about rules that are not applied. */
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * The rules of the first namespace that has some: the waypoint's, the service's, the root. Among them those that name the
 * service go before wildcards, the oldest first: its traffic policy counts, the others add their subsets.
 */
export function destinationPolicy(
  rules: readonly Parsed<DestinationRuleTranslation>[],
  reach: PolicyReach,
  endpoints: readonly LabelledWorkload[],
): DestinationPolicy {
  const waypoint = reach.waypointNamespace ?? reach.namespace;
  const levels = [waypoint, reach.namespace, reach.rootNamespace];
  const inReach = rules.filter(({ object }) => levels.includes(object.metadata.namespace));
  const visible = inReach.filter(
    ({ value }) => value.exportTo.length === 0 || value.exportTo.includes(waypoint),
  );
  const level = levels.find(one => visible.some(({ object }) => object.metadata.namespace === one));
  const used = visible
    .filter(({ object, value }) => object.metadata.namespace === level && !isOutdone(value, level, visible))
    .sort((a, b) => (age(a) < age(b) ? -1 : 1))
    .map(({ value }) => value);
  const subsets = new Map<string, DestinationRuleTranslation['subsets'][number]>();
  for (const rule of used) for (const s of rule.subsets) if (!subsets.has(s.name)) subsets.set(s.name, s);
  const parts = used.find(rule => rule.trafficPolicy !== undefined)?.trafficPolicy;
  return {
    ...effectiveRule(parts, [...subsets.values()], endpoints),
    diagnostics: rules.filter(rule => !visible.includes(rule)).map(rule => outOfReach(rule, reach, waypoint)),
  };
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
