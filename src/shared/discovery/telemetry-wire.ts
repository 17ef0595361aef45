import { parseLogFilter } from '../route/log-filter/log-filter.ts';
import { REQUEST_LABELS, REQUEST_METRICS, type TelemetryPolicy } from '../route/telemetry-policy.ts';
import {
  InvalidField,
  readEach,
  readEnum,
  readFlag,
  readName,
  readOptionalFlag,
  readOptionalNumber,
  readOptionalText,
  readPercent,
  readText,
  type WireFields,
} from './wire-fields.ts';

/** `ambient.mesh.v1.TelemetryPolicy` ↔ `TelemetryPolicy`. */

/** @throws InvalidField */
export function telemetryFromWire(wire: WireFields): TelemetryPolicy {
  const sampled = readOptionalNumber(wire, 'trace_sampling_percent');
  return {
    traceSamplingPercent: sampled === undefined ? undefined : readPercent(wire, 'trace_sampling_percent'),
    traceSpans: readOptionalFlag(wire, 'trace_spans'),
    traceTags: readEach(wire, 'trace_tags', tag => ({
      name: readName(tag, 'name'),
      header: readOptionalText(tag, 'header'),
      value: readText(tag, 'value'),
    })),
    accessLog: readOptionalFlag(wire, 'access_log'),
    accessLogFilter: logFilter(readOptionalText(wire, 'access_log_filter')),
    metrics: readEach(wire, 'metrics', override => ({
      metric: readEnum(override, 'metric', REQUEST_METRICS),
      disabled: readFlag(override, 'disabled'),
      labels: readEach(override, 'labels', label => ({
        name: labelName(readName(label, 'name')),
        value: readText(label, 'value'),
      })),
    })),
  };
}

function logFilter(text: string | undefined): string | undefined {
  const parsed = text === undefined ? undefined : parseLogFilter(text);
  if (parsed?.ok === false) throw new InvalidField('access_log_filter', parsed.problem);
  return text;
}

function labelName(name: string): string {
  if (!REQUEST_LABELS.includes(name))
    throw new InvalidField('name', 'is no label of the metrics of requests');
  return name;
}

export function telemetryToWire(policy: TelemetryPolicy): object {
  return {
    trace_sampling_percent: policy.traceSamplingPercent,
    trace_spans: policy.traceSpans,
    trace_tags: policy.traceTags,
    access_log: policy.accessLog,
    access_log_filter: policy.accessLogFilter,
    metrics: policy.metrics.map(({ disabled, labels, metric }) => ({
      metric: REQUEST_METRICS.indexOf(metric),
      disabled,
      labels,
    })),
  };
}
