import { Denials } from '#shared/authz/denials.ts';
import type { HbonePool } from '#shared/hbone/session-pool.ts';
import { CoarseTimers } from '#shared/lifecycle/coarse-timers.ts';
import { AccessLog } from '#shared/observability/access-log.ts';
import type { MetricSet } from '#shared/observability/metric-set.ts';
import { TcpMetrics } from '#shared/observability/tcp-metrics.ts';
import type { Span } from '#shared/tracing/span.ts';
import type { MeshView } from '#shared/workload/mesh-view.ts';
import type { Place } from '../balance/locality.ts';
import { TrafficSplit } from '../balance/traffic-split.ts';
import { AwaitedHosts } from '../hosts/awaited-hosts.ts';
import { ThreadFilters } from '../filters/thread-filters.ts';
import { OverloadMonitor } from '../overload/overload-monitor.ts';
import { EndedRequests } from '../request/ended-requests.ts';
import { InFlight, type RequestEnvironment } from '../request/environment.ts';
import { OpenTunnels } from '../request/open-tunnels.ts';
import { ServiceDirectory } from '../services/service-directory.ts';
import { ThreadTaps } from '../tap/thread-taps.ts';
import { ClassifiedRequests } from '../telemetry/classified-requests.ts';
import { EjectionTelemetry } from '../telemetry/ejections.ts';
import { RequestLog } from '../telemetry/request-log.ts';
import { RequestMetrics } from '../telemetry/request-metrics.ts';
import { RetryMetrics } from '../telemetry/retries.ts';
import { ThreadTracer } from '../tracing/thread-tracer.ts';
import { EndpointPools } from '../upstream/endpoint-pools.ts';
import type { SecureUpstream } from '../upstream/secure-upstream.ts';
import type { TrafficThreadOptions } from './traffic-thread.ts';

/** Timeouts of routes and backoff are met to within two ticks. */
const REQUEST_TICK_MS = 10;
/** What may be seconds late. */
export const CONNECTION_TICK_MS = 250;

/** What the thread has besides. */
export interface ThreadParts {
  readonly view: MeshView;
  readonly metrics: MetricSet;
  readonly hbone: HbonePool;
  readonly secure: SecureUpstream;
  readonly place: () => Place;
}

/** What every request of one thread shares. */
export function makeEnvironment(
  options: TrafficThreadOptions,
  { hbone, metrics, place, secure, view }: ThreadParts,
): RequestEnvironment {
  const { clock, emit, engine, logger, random, settings, thread } = options;
  const { logFormat: format, logWriter: writer } = options;
  const now = (): number => clock.now();
  const timers = new CoarseTimers(clock, REQUEST_TICK_MS);
  const connectionTimers = new CoarseTimers(clock, CONNECTION_TICK_MS);
  return {
    clock,
    timers,
    connectionTimers,
    streamIdleTimeoutMs: settings.streamIdleTimeoutMs,
    random,
    services: new ServiceDirectory({
      view,
      clock,
      random,
      place,
      threads: settings.threads,
      ejections: new EjectionTelemetry(metrics, logger).ofService,
    }),
    split: new TrafficSplit(random),
    pools: new EndpointPools({
      engine,
      clock,
      timers: connectionTimers,
      hbone,
      secure,
      identity: settings.identity,
      connectTimeoutMs: settings.connectTimeoutMs,
      ownIps: [...settings.ips, ...(settings.listen === undefined ? [] : [settings.listen.ip])],
      idleTimeoutMs: settings.poolIdleTimeoutMs,
      queueTimeoutMs: settings.queueTimeoutMs,
    }),
    logger,
    metrics: new RequestMetrics(metrics),
    retries: new RetryMetrics(metrics),
    denials: new Denials(metrics),
    classified: new ClassifiedRequests(metrics),
    tcpMetrics: new TcpMetrics(metrics),
    requestLog: new RequestLog(new AccessLog({ format, writer, now, subject: 'request' })),
    connectionLog: new AccessLog({ format, writer, now, subject: 'connection' }),
    accessLogMode: settings.accessLog,
    taps: new ThreadTaps({
      clock,
      thread,
      threads: settings.threads,
      send: (tap, events) => emit({ kind: 'tap', tap, events }),
    }),
    tracer: makeTracer(options),
    overload: new OverloadMonitor({
      clock,
      random,
      maxLagMs: settings.overloadLagMs,
      maxRequests: Math.ceil(settings.maxRequests / settings.threads),
    }),
    filters: new ThreadFilters({
      clock,
      logger,
      threads: settings.threads,
      askForKeys: source => emit({ kind: 'keys_wanted', source }),
    }),
    inFlight: new InFlight(),
    ended: new EndedRequests(engine.defer, logger),
    hosts: new AwaitedHosts(clock, emit),
    tunnels: new OpenTunnels(),
  };
}

function makeTracer({
  clock,
  emit,
  random,
  settings,
  thread,
}: TrafficThreadOptions): ThreadTracer | undefined {
  const { traceSamplingRatio: samplingRatio } = settings;
  if (samplingRatio === undefined) return undefined;
  const send = (spans: readonly Span[], dropped: number): void =>
    emit({ kind: 'spans', thread, spans, dropped });
  return new ThreadTracer({ clock, random, samplingRatio, send });
}
