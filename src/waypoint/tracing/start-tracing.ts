import { VERSION } from '#shared/config/version.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { MetricSet } from '#shared/observability/metric-set.ts';
import { grpcTransport } from '#shared/tracing/otlp-grpc.ts';
import { httpTransport } from '#shared/tracing/otlp-http.ts';
import { encodeTraceRequest, type Resource } from '#shared/tracing/otlp-message.ts';
import { SpanExporter } from '#shared/tracing/span-exporter.ts';
import type { TracingConfig } from './tracing-config.ts';

export interface TracingOptions {
  readonly config: TracingConfig;
  readonly resource: Resource;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: MetricSet;
}

/** The main thread's side of tracing, with the libraries it takes. */
export function startTracing({ clock, config, logger, metrics, resource }: TracingOptions): SpanExporter {
  const { endpoint, protocol } = config;
  return new SpanExporter({
    transport: protocol === 'grpc' ? grpcTransport(endpoint) : httpTransport(endpoint),
    encode: spans => encodeTraceRequest(resource, VERSION, spans),
    clock,
    random: Math.random,
    logger,
    metrics,
  });
}
