import type { RequestHead } from '#shared/http/exchange.ts';
import { RESPONSE_FLAGS } from '#shared/observability/response-flags.ts';
import type { RouteRule } from '#shared/route/model.ts';
import { formatHostPort } from '#shared/workload/ip.ts';
import type { Service } from '#shared/workload/workload.ts';
import type { BalancedEndpoint } from '../balance/endpoint.ts';
import type { RequestTrace } from '../tracing/request-trace.ts';
import type { TappedRequest } from '../tap/tapped-request.ts';
import { GrpcMessages } from '../telemetry/grpc-messages.ts';
import { logRequest, type RequestLine } from '../telemetry/request-log.ts';
import type { Downstream } from './environment.ts';

/** Flags of requests that the service has not answered, or not to the end. */
const UNANSWERED = new Set<string>([
  RESPONSE_FLAGS.noHealthyUpstream,
  RESPONSE_FLAGS.upstreamConnectionFailure,
  RESPONSE_FLAGS.upstreamConnectionTermination,
  RESPONSE_FLAGS.upstreamReset,
  RESPONSE_FLAGS.upstreamOverflow,
  RESPONSE_FLAGS.upstreamRequestTimeout,
  RESPONSE_FLAGS.upstreamRetryLimitExceeded,
  RESPONSE_FLAGS.upstreamProtocolError,
  RESPONSE_FLAGS.idleTimeout,
]);

/** What is known of one request when it has ended. Filled in on the way, written once. */
export class RequestRecord {
  readonly startMs: number;
  readonly grpc: boolean;
  /** The one addressed, then the one chosen by the route. */
  service: Service;
  endpoint: BalancedEndpoint | undefined;
  route = '';
  /** The rule, where it says what a failure is. */
  classified: RouteRule | undefined;
  attempts = 0;
  /** 0: the client was gone before there was one. */
  status = 0;
  flags = '-';
  /** Why, where the waypoint itself ended the request. */
  detail: string | undefined;
  grpcStatus = '';
  requestBytes = 0;
  responseBytes = 0;
  /** Of gRPC. */
  readonly requestMessages: GrpcMessages | undefined;
  readonly responseMessages: GrpcMessages | undefined;
  /** Until the head of the upstream's response; -1 when there was none. */
  upstreamMs = -1;
  /** Somebody watches this request. */
  tapped: TappedRequest | undefined;
  /** It is in a trace that is sampled. */
  trace: RequestTrace | undefined;

  constructor(startMs: number, grpc: boolean, service: Service) {
    this.startMs = startMs;
    this.grpc = grpc;
    this.service = service;
    this.requestMessages = grpc ? new GrpcMessages() : undefined;
    this.responseMessages = grpc ? new GrpcMessages() : undefined;
  }

  /** One set of metric increments and one line of the access log. */
  write(downstream: Downstream, request: RequestHead): void {
    const { accessLogMode, clock } = downstream.env;
    const durationMs = clock.monotonic() - this.startMs;
    this.#count(downstream, durationMs);
    if (this.classified !== undefined) this.#classify(downstream, this.classified);
    const failed = this.flags !== '-' || this.status >= 500;
    const asked = downstream.service.routes?.telemetry.accessLog;
    const logged = asked ?? (accessLogMode === 'all' || (failed && accessLogMode === 'errors'));
    if (!logged && this.tapped === undefined && this.trace === undefined) return;
    const line = this.#line(downstream, request, durationMs);
    if (logged && downstream.service.logFilter?.(line) !== false) logRequest(downstream.env.accessLog, line);
    this.tapped?.onEnd(line);
    this.trace?.end(line);
  }

  #count(downstream: Downstream, durationMs: number): void {
    const { service } = this;
    const endpoint = this.endpoint?.workload;
    const overrides = downstream.service.routes?.telemetry.metrics;
    if (
      downstream.pair === undefined ||
      downstream.pairService !== service ||
      downstream.pairEndpoint !== endpoint ||
      downstream.pairOverrides !== overrides
    ) {
      downstream.pair = downstream.env.metrics.pair(downstream.peers, service, endpoint, overrides);
      downstream.pairService = service;
      downstream.pairEndpoint = endpoint;
      downstream.pairOverrides = overrides;
    }
    const cells = downstream.pair.get(this.grpc, this.status, this.flags, this.grpcStatus);
    cells.requests.value++;
    cells.durationMs.observe(durationMs);
    cells.requestBytes.observe(this.requestBytes);
    cells.responseBytes.observe(this.responseBytes);
    if (cells.messages === undefined) return;
    cells.messages.requests.value += this.requestMessages?.count ?? 0;
    cells.messages.responses.value += this.responseMessages?.count ?? 0;
  }

  /** A client that was gone before there was an answer says nothing of the service. */
  #classify({ env, service }: Downstream, rule: RouteRule): void {
    const { flags, grpcStatus, status } = this;
    if (status === 0) return;
    const broken = flags.split(',').some(flag => UNANSWERED.has(flag));
    env.classified.count(service.service, rule, { status, grpcStatus, broken });
  }

  #line(downstream: Downstream, request: RequestHead, durationMs: number): RequestLine {
    const { endpoint } = this;
    const [ip] = endpoint?.workload.addresses ?? [];
    return {
      peers: downstream.peers,
      sourceAddress: downstream.sourceAddress,
      request,
      service: this.service,
      endpoint: endpoint?.workload,
      endpointAddress: ip === undefined ? '' : formatHostPort(ip, endpoint?.targetPort ?? 0),
      route: this.route,
      attempts: this.attempts,
      status: this.status,
      flags: this.flags,
      detail: this.detail,
      grpcStatus: this.grpcStatus,
      requestBytes: this.requestBytes,
      responseBytes: this.responseBytes,
      durationMs,
      upstreamMs: this.upstreamMs,
    };
  }
}
