/** What waypoints tell of requests for a service. Undefined is what the waypoint itself is set to. */
export interface TelemetryPolicy {
  /** Percent of requests that start a trace; 0 is none. */
  readonly traceSamplingPercent: number | undefined;
  readonly traceSpans: boolean | undefined;
  /** Attributes of the span of a request, beside those it has anyway. */
  readonly traceTags: readonly TraceTag[];
  readonly accessLog: boolean | undefined;
  /** An expression that `parseLogFilter` takes: lines it is not true of are not written. */
  readonly accessLogFilter: string | undefined;
  /** Each metric once at most. */
  readonly metrics: readonly MetricOverride[];
}

export interface TraceTag {
  readonly name: string;
  /** Its value is that of this header of the request, where it has one. */
  readonly header: string | undefined;
  /** Else this; empty: no attribute. */
  readonly value: string;
}

export const REQUEST_METRICS = [
  'requests',
  'duration',
  'request_bytes',
  'response_bytes',
  'request_messages',
  'response_messages',
] as const;

export type RequestMetric = (typeof REQUEST_METRICS)[number];

export interface MetricOverride {
  readonly metric: RequestMetric;
  readonly disabled: boolean;
  /** Labels with other values than their own; an empty one is as none. */
  readonly labels: readonly LabelValue[];
}

export interface LabelValue {
  readonly name: string;
  readonly value: string;
}

const SIDE_LABELS = [
  'workload',
  'workload_namespace',
  'principal',
  'app',
  'version',
  'canonical_service',
  'canonical_revision',
  'cluster',
] as const;

/** Of the metrics of requests: Istio's standard labels, in this order everywhere. */
export const REQUEST_LABELS: readonly string[] = [
  'reporter',
  ...SIDE_LABELS.map(label => `source_${label}`),
  ...SIDE_LABELS.map(label => `destination_${label}`),
  'destination_service',
  'destination_service_name',
  'destination_service_namespace',
  'request_protocol',
  'response_code',
  'grpc_response_status',
  'response_flags',
  'connection_security_policy',
];

export const NO_TELEMETRY_POLICY: TelemetryPolicy = Object.freeze({
  traceSamplingPercent: undefined,
  traceSpans: undefined,
  traceTags: [],
  accessLog: undefined,
  accessLogFilter: undefined,
  metrics: [],
});
