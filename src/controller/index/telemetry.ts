import {
  type MetricOverride,
  NO_TELEMETRY_POLICY,
  REQUEST_METRICS,
  type TelemetryPolicy,
} from '#shared/route/telemetry-policy.ts';
import { keyOf } from '../source/kube-object.ts';
import { type Diagnostic, objectName } from '../translate/diagnostic.ts';
import type { MetricRule } from '../translate/telemetry/metrics.ts';
import type { TelemetryTranslation } from '../translate/telemetry/telemetry.ts';
import type { MeshObjects } from './mesh-objects.ts';
import type { Parsed } from './parsed-kind.ts';
import { appliesTo, type PolicySubject } from './policy-reach.ts';

/** What holds for a service, each setting by the narrowest Telemetry that says something of it. */
export function telemetryFor(subject: PolicySubject, objects: MeshObjects): TelemetryPolicy {
  const settings = byAge(objects)
    .filter(({ value }) => appliesTo(value, subject, objects))
    // Of one level the oldest holds: it comes last.
    .toReversed()
    .sort((a, b) => levelOf(a.value) - levelOf(b.value))
    .map(({ value }) => value.settings);
  if (settings.length === 0) return NO_TELEMETRY_POLICY;
  const log = settings.findLast(({ accessLog }) => accessLog !== undefined)?.accessLog;
  return {
    accessLog: log?.logged,
    accessLogFilter: log?.filter,
    traceSpans: settings.findLast(({ traceSpans }) => traceSpans !== undefined)?.traceSpans,
    traceSamplingPercent: settings.findLast(one => one.traceSamplingPercent !== undefined)
      ?.traceSamplingPercent,
    traceTags: settings.findLast(({ traceTags }) => traceTags !== undefined)?.traceTags ?? [],
    metrics: overrides(settings.flatMap(({ metrics }) => metrics)),
  };
}

/** Wide to narrow: the mesh, a namespace, a waypoint, workloads by their labels, one service. */
function levelOf({ scope, targets }: TelemetryTranslation): number {
  const [target] = targets;
  if (target !== undefined) {
    const levels = { GatewayClass: 1.5, Gateway: 2, Service: 4, ServiceEntry: 4 };
    return levels[target.kind];
  }
  return { global: 0, namespace: 1, workload_selector: 3 }[scope];
}

/** Rules in order, a later one going before, as one override a metric. */
function overrides(rules: readonly MetricRule[]): readonly MetricOverride[] {
  return REQUEST_METRICS.flatMap(metric => {
    const own = rules.filter(({ metrics }) => metrics.includes(metric));
    const disabled = own.findLast(rule => rule.disabled !== undefined)?.disabled ?? false;
    const values = new Map(own.flatMap(({ labels }) => labels.map(({ name, value }) => [name, value])));
    const labels = Array.from(values, ([name, value]) => ({ name, value }));
    return disabled || labels.length > 0 ? [{ metric, disabled, labels }] : [];
  });
}

/** Istio takes one Telemetry for a whole namespace or mesh: of several the oldest. */
export function telemetryConflicts(objects: MeshObjects): readonly Diagnostic[] {
  const first = new Map<string, string>();
  return byAge(objects).flatMap(({ object, value }) => {
    const { namespace, scope, targets } = value;
    if (scope === 'workload_selector' || targets.length > 0) return [];
    const holder = first.get(namespace);
    if (holder === undefined) {
      first.set(namespace, objectName(object));
      return [];
    }
    return {
      object: objectName(object),
      field: 'spec.selector',
      value: 'not set',
      message: `${holder} is for all of the namespace too, and older: what both say holds as it says`,
      fix: 'put both into one object, or say what this one is for',
      severity: 'ignored',
    };
  });
}

function byAge(objects: MeshObjects): readonly Parsed<TelemetryTranslation>[] {
  const age = ({ object }: Parsed<TelemetryTranslation>): string =>
    `${object.metadata.creationTimestamp} ${keyOf(object)}`;
  return [...objects.telemetries.all()].sort((a, b) => (age(a) < age(b) ? -1 : 1));
}
