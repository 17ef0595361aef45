import { AggregatorRegistry, collectDefaultMetrics, Registry } from 'prom-client';
import type { FamilySnapshot, SeriesSnapshot } from './metric-set.ts';

const EVENT_LOOP_SAMPLE_MS = 100;

/** The Prometheus side of metrics: the only importer of prom-client, never loaded in a worker thread. */
export interface MetricsExposition {
  readonly contentType: string;
  /** Adds up the same series over all threads and renders them beside the process metrics. */
  render(threads: readonly (readonly FamilySnapshot[])[]): Promise<string>;
}

/** A series as prom-client's aggregator takes it. */
interface AggregatorValue {
  readonly value: number;
  readonly labels: Record<string, string | number>;
  readonly metricName?: string;
}

export function createMetricsExposition(): MetricsExposition {
  const processRegistry = new Registry();
  // The default wakes an idle process 100 times a second.
  collectDefaultMetrics({ register: processRegistry, eventLoopMonitoringPrecision: EVENT_LOOP_SAMPLE_MS });
  return {
    contentType: processRegistry.contentType,
    async render(threads) {
      const merged = AggregatorRegistry.aggregate(
        threads.map(families => families.flatMap(toAggregatorMetrics)),
      );
      const [own, process] = await Promise.all([merged.metrics(), processRegistry.metrics()]);
      return `${own}\n${process}`;
    },
  };
}

const OVERFLOW_METRIC = 'ambient_metric_series_overflow_total';

function toAggregatorMetrics(family: FamilySnapshot): object[] {
  const values = family.series.flatMap(series =>
    family.kind === 'histogram' ? histogramValues(family, series) : [plainValue(family, series)],
  );
  const metric = { name: family.name, help: family.help, type: family.kind, aggregator: 'sum', values };
  if (family.overflowed === 0) return [metric];
  return [metric, overflowMetric(family)];
}

function overflowMetric(family: FamilySnapshot): object {
  return {
    name: OVERFLOW_METRIC,
    help: 'Look-ups of series that were folded into the label value "other", by metric.',
    type: 'counter',
    aggregator: 'sum',
    values: [{ value: family.overflowed, labels: { metric: family.name } }],
  };
}

function plainValue(family: FamilySnapshot, series: SeriesSnapshot): AggregatorValue {
  return { value: series.value, labels: labelsOf(family, series) };
}

/** Prometheus buckets are cumulative; ours are not. */
function histogramValues(family: FamilySnapshot, series: SeriesSnapshot): AggregatorValue[] {
  const labels = labelsOf(family, series);
  const counts = series.bucketCounts ?? new Float64Array(family.buckets.length + 1);
  let total = 0;
  const values: AggregatorValue[] = [];
  for (let i = 0; i < counts.length; i++) {
    total += counts[i] ?? 0;
    const le = family.buckets[i] ?? '+Inf';
    values.push({ value: total, labels: { ...labels, le }, metricName: `${family.name}_bucket` });
  }
  values.push({ value: series.value, labels, metricName: `${family.name}_sum` });
  values.push({ value: total, labels, metricName: `${family.name}_count` });
  return values;
}

function labelsOf(family: FamilySnapshot, series: SeriesSnapshot): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [i, name] of family.labels.entries()) labels[name] = series.labelValues[i] ?? '';
  return labels;
}
