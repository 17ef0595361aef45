import type { EnvReader } from '#shared/config/env-reader.ts';
import { VERSION } from '#shared/config/version.ts';
import type { ProxyInstance } from '#shared/discovery/discovery-node.ts';
import type { Resource } from '#shared/tracing/otlp-message.ts';

/** Where spans go. Variables have OpenTelemetry's own names. */
export interface TracingConfig {
  readonly endpoint: URL;
  readonly protocol: 'grpc' | 'http/protobuf';
  /** Of requests that are in no trace yet, 0 to 1. */
  readonly samplingRatio: number;
  /** Undefined: that of the waypoint. */
  readonly serviceName: string | undefined;
}

/** Undefined: nothing is traced. */
export function readTracing(env: EnvReader): TracingConfig | undefined {
  const text = env.optional(
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    'collector of OpenTelemetry traces, http://host:4317 (gRPC) or http://host:4318 (HTTP); unset: no traces',
  );
  const protocol = env.oneOf(
    'OTEL_EXPORTER_OTLP_PROTOCOL',
    ['grpc', 'http/protobuf'],
    'grpc',
    'what it speaks',
  );
  const ratio = env.string(
    'OTEL_TRACES_SAMPLER_ARG',
    '0.01',
    'share of requests that begin a trace, 0 to 1; one that is in a trace already is traced if that is',
  );
  const serviceName = env.optional('OTEL_SERVICE_NAME', 'name in traces; default: <gateway>.<namespace>');
  const samplingRatio = /^(?:0|1|0?\.\d{1,9}|1\.0*)$/.test(ratio) ? Number(ratio) : undefined;
  if (samplingRatio === undefined)
    env.reject(
      'OTEL_TRACES_SAMPLER_ARG',
      `${JSON.stringify(ratio)} is not accepted; use a number from 0 to 1`,
    );
  if (text === undefined) return undefined;
  const endpoint = URL.parse(text);
  if (endpoint === null || !/^https?:$/.test(endpoint.protocol) || endpoint.hostname === '') {
    env.reject(
      'OTEL_EXPORTER_OTLP_ENDPOINT',
      `${JSON.stringify(text)} is not accepted; use http://host:port or https://host:port`,
    );
    return undefined;
  }
  return { endpoint, protocol, samplingRatio: samplingRatio ?? 0, serviceName };
}

/** Who reports the spans. @param hostname of the waypoint's Service: `<gateway>.<namespace>.svc.…` */
export function tracingResource(
  instance: ProxyInstance,
  serviceName: string | undefined,
  hostname: string,
): Resource {
  return [
    'service.name',
    serviceName ?? hostname.split('.').slice(0, 2).join('.'),
    'service.version',
    VERSION,
    'service.instance.id',
    `${instance.name}.${instance.namespace}`,
    'k8s.namespace.name',
    instance.namespace,
    'k8s.pod.name',
    instance.name,
    'k8s.node.name',
    instance.nodeName,
    'k8s.cluster.name',
    instance.clusterId,
    'telemetry.sdk.name',
    'ambient-mesh',
    'telemetry.sdk.language',
    'nodejs',
    'telemetry.sdk.version',
    VERSION,
  ];
}
