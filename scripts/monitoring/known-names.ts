import { createMetricsExposition } from '../../src/shared/observability/metrics.ts';
import { registeredMetrics } from '../../src/docs/registered-metrics.ts';
import { usedNames } from './promql-names.ts';

/** Labels that come with a target, however it is found (docs/monitoring.md): boards and alerts need no others. */
export const TARGET_LABELS: readonly string[] = ['job', 'instance', 'pod'];
/** Made by Prometheus itself. */
const OF_PROMETHEUS: readonly (readonly [string, readonly string[]])[] = [['up', []]];

/** Names of metrics, with the labels that they have by themselves. */
export type KnownNames = ReadonlyMap<string, readonly string[]>;

/** What processes of the mesh have when they are asked. */
export async function knownNames(): Promise<KnownNames> {
  const known = new Map<string, readonly string[]>(OF_PROMETHEUS);
  for (const { family } of registeredMetrics()) {
    const { kind, labels, name } = family;
    if (kind !== 'histogram') known.set(name, labels);
    else {
      known.set(`${name}_bucket`, [...labels, 'le']);
      for (const part of ['sum', 'count']) known.set(`${name}_${part}`, labels);
    }
  }
  known.set('ambient_metric_series_overflow_total', ['metric']);
  const ofProcess = await createMetricsExposition().render([]);
  for (const [, name = ''] of ofProcess.matchAll(/^# TYPE (\w+) (?:counter|gauge)$/gm)) known.set(name, []);
  return known;
}

/** What an expression asks for that nobody has, in sentences. */
export function unknownNames(expr: string, known: KnownNames): readonly string[] {
  const { grouping, selectors } = usedNames(expr);
  const wrong: string[] = [];
  const seen = new Set(TARGET_LABELS);
  for (const { labels, metric } of selectors) {
    const own = known.get(metric);
    if (own === undefined) wrong.push(`there is no metric ${metric}`);
    for (const label of own ?? []) seen.add(label);
    for (const label of labels) {
      if (own?.includes(label) === true || TARGET_LABELS.includes(label)) continue;
      wrong.push(`${metric} has no label ${label}`);
    }
  }
  for (const label of grouping) if (!seen.has(label)) wrong.push(`nothing here has a label ${label}`);
  return wrong;
}
