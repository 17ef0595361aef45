import {
  type LabelValue,
  REQUEST_LABELS,
  REQUEST_METRICS,
  type RequestMetric,
} from '#shared/route/telemetry-policy.ts';
import type { Fields } from '../decode.ts';
import { isForClientsAlone, type ProviderLookup, readProviders } from './provider.ts';

/** What is said of some metrics; what it does not say stays. */
export interface MetricRule {
  readonly metrics: readonly RequestMetric[];
  readonly disabled: boolean | undefined;
  readonly labels: readonly LabelValue[];
}

export function readMetrics(fields: Fields, providers: ProviderLookup): readonly MetricRule[] {
  readProviders(fields, 'metrics', providers);
  fields.unsupported('reportingInterval', 'remove it; metrics are read when somebody asks for them');
  return fields.objects('overrides', readOverride).filter(rule => rule.metrics.length > 0);
}

const NAMES = new Map<string, readonly RequestMetric[]>([
  ['ALL_METRICS', REQUEST_METRICS],
  ['REQUEST_COUNT', ['requests']],
  ['REQUEST_DURATION', ['duration']],
  ['REQUEST_SIZE', ['request_bytes']],
  ['RESPONSE_SIZE', ['response_bytes']],
  ['GRPC_REQUEST_MESSAGES', ['request_messages']],
  ['GRPC_RESPONSE_MESSAGES', ['response_messages']],
]);
const TCP = /^TCP_(?:OPENED_CONNECTIONS|CLOSED_CONNECTIONS|SENT_BYTES|RECEIVED_BYTES)$/;

function readOverride(fields: Fields): MetricRule {
  const metrics = fields.has('match') ? (fields.object('match', readMatch) ?? []) : REQUEST_METRICS;
  // Istio writes the flag as a wrapped value, in YAML the same as a plain one.
  const disabled = fields.boolean('disabled');
  return { metrics, disabled, labels: fields.object('tagOverrides', readLabels) ?? [] };
}

function readMatch(fields: Fields): readonly RequestMetric[] {
  const forClients = isForClientsAlone(fields);
  fields.refused('customMetric', 'name one of the metrics of requests in metric');
  const name = fields.string('metric') ?? 'ALL_METRICS';
  const metrics = NAMES.get(name);
  if (metrics === undefined && TCP.test(name)) {
    fields.ignore(
      'metric',
      'is not supported: metrics of connections stay as they are',
      'remove the override',
    );
    return [];
  }
  if (metrics === undefined)
    fields.reject(
      'metric',
      'is not one of the values it can have',
      `use one of ${[...NAMES.keys()].join(', ')}`,
    );
  return forClients ? [] : (metrics ?? []);
}

function readLabels(fields: Fields): readonly LabelValue[] {
  return fields.keys().flatMap(name => {
    if (!REQUEST_LABELS.includes(name)) {
      fields.has(name);
      fields.ignore(
        name,
        'is no label of these metrics, and none can be added',
        'use one of docs/metrics.md',
      );
      return [];
    }
    const value = fields.object(name, readLabel);
    return value === undefined ? [] : [{ name, value }];
  });
}

const TEXT = /^(?:'([^'\\]*)'|"([^"\\]*)")$/;

/** The value to be taken away, or a text that takes its place. Undefined: it stays what it is. */
function readLabel(fields: Fields): string | undefined {
  const operation = fields.oneOf('operation', ['UPSERT', 'REMOVE']) ?? 'UPSERT';
  const expression = fields.string('value');
  if (operation === 'REMOVE') return '';
  const [, single, double] = TEXT.exec(expression ?? '') ?? [];
  const text = single ?? double;
  if (text === undefined && expression !== undefined)
    fields.ignore(
      'value',
      'is no text in quotes: expressions are not supported, and the label stays as it is',
      'write such as "\'prod\'"',
    );
  else if (text === undefined) fields.reject('value', 'is required', 'write such as "\'prod\'"');
  return text;
}
