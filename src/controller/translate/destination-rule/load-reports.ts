import type { LoadBalancer } from '#shared/route/traffic-policy.ts';
import type { Fields } from '../decode.ts';

/** Istio's defaults. */
const STABILIZATION_MS = 10_000;
const EXPIRATION_MS = 180_000;
const UPDATE_MS = 1_000;
const MIN_UPDATE_MS = 100;
const MAX_PERCENT = 2 ** 32 - 1;

const METRIC =
  /^(?:(?:application|cpu|mem)_utilization|eps|rps_fractional|(?:named_metrics|utilization|request_cost)\..+)$/;

/** `backendUtilization`: weights by what endpoints report of themselves. */
export function readLoadReports(fields: Fields): LoadBalancer {
  const reports = {
    stabilizationMs: fields.durationMs('weightStabilizationPeriod', '10s') ?? STABILIZATION_MS,
    expirationMs: readExpiration(fields),
    updateMs: readUpdate(fields),
    errorPenalty: (fields.integer('errorUtilizationPenaltyPercent', 0, MAX_PERCENT) ?? 0) / 100,
    metrics: readMetrics(fields),
  };
  return { kind: 'backend_utilization', reports };
}

function readExpiration(fields: Fields): number {
  const expirationMs = fields.durationMs('weightExpirationPeriod', '3m') ?? EXPIRATION_MS;
  if (expirationMs === 0)
    fields.ignore(
      'weightExpirationPeriod',
      'of 0 expires every weight at once: all are equal',
      'set such as 3m',
    );
  return expirationMs;
}

function readUpdate(fields: Fields): number {
  const updateMs = fields.durationMs('weightUpdatePeriod', '1s') ?? UPDATE_MS;
  if (updateMs >= MIN_UPDATE_MS) return updateMs;
  fields.ignore('weightUpdatePeriod', 'is less than 100ms, which is what counts', 'set 100ms or more');
  return MIN_UPDATE_MS;
}

function readMetrics(fields: Fields): readonly string[] {
  const names = fields.strings('metricNamesForComputingUtilization');
  const unknown = names.filter(name => !METRIC.test(name));
  if (unknown.length > 0)
    fields.ignore(
      'metricNamesForComputingUtilization',
      `names ${unknown.join(', ')}, which no report has`,
      'use application_utilization, cpu_utilization, mem_utilization, or such as named_metrics.queue',
    );
  return names.filter(name => METRIC.test(name));
}
