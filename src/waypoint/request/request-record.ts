import type { RequestHead } from '#shared/http/exchange.ts';
import { RESPONSE_FLAGS } from '#shared/observability/response-flags.ts';
import { isFailedRequest, type ClassifiedEnd } from '#shared/route/classify.ts';
import type { RouteRule } from '#shared/route/model.ts';
import { formatHostPort } from '#shared/workload/ip.ts';
import type { Service, Workload } from '#shared/workload/workload.ts';
import type { BalancedEndpoint } from '../balance/endpoint.ts';
import type { RequestTrace } from '../tracing/request-trace.ts';
import type { TappedRequest } from '../tap/tapped-request.ts';
import { GrpcMessages } from '../telemetry/grpc-messages.ts';
import { hasFailed, type RequestLine } from '../telemetry/request-log.ts';
import type { RequestPeers } from '../telemetry/request-metrics.ts';
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
export class RequestRecord implements RequestLine {
  readonly request: RequestHead;
  readonly startMs: number;
  readonly grpc: boolean;
  /** The one addressed, then the one chosen by the route. */
  service: Service;
  picked: BalancedEndpoint | undefined;
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
  /** When it has ended. */
  durationMs = 0;
  /** Somebody watches this request. */
  tapped: TappedRequest | undefined;
  /** It is in a trace that is sampled. */
  trace: RequestTrace | undefined;

  readonly #downstream: Downstream;

  constructor(downstream: Downstream, request: RequestHead, grpc: boolean) {
    this.#downstream = downstream;
    this.request = request;
    this.startMs = downstream.env.clock.monotonic();
    this.grpc = grpc;
    this.service = downstream.service.service;
    this.requestMessages = grpc ? new GrpcMessages() : undefined;
    this.responseMessages = grpc ? new GrpcMessages() : undefined;
  }

  get peers(): RequestPeers {
    return this.#downstream.peers;
  }

  get sourceAddress(): string {
    return this.#downstream.sourceAddress;
  }

  get endpoint(): Workload | undefined {
    return this.picked?.workload;
  }

  get endpointPort(): number {
    return this.picked?.targetPort ?? 0;
  }

  get endpointAddress(): string {
    const [ip] = this.picked?.workload.addresses ?? [];
    return ip === undefined ? '' : formatHostPort(ip, this.endpointPort);
  }

  /** Nothing of it changes after this. */
  end(): void {
    this.durationMs = this.#downstream.env.clock.monotonic() - this.startMs;
    this.tapped?.onEnd(this);
    this.trace?.end(this);
  }

  /** One set of metric increments and one line of the access log. */
  write(): void {
    const downstream = this.#downstream;
    const { accessLogMode, requestLog } = downstream.env;
    this.#count(downstream);
    if (this.attempts > 1)
      downstream.env.retries.count(this.service, this.attempts - 1, isFailedRequest([], this.#end));
    if (this.classified !== undefined) this.#classify(downstream, this.classified);
    const asked = downstream.service.routes?.telemetry.accessLog;
    const logged = asked ?? (accessLogMode === 'all' || (accessLogMode === 'errors' && hasFailed(this)));
    if (logged && downstream.service.logFilter?.(this) !== false) requestLog.write(this);
  }

  #count(downstream: Downstream): void {
    const { durationMs, endpoint, service } = this;
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
    if (this.status !== 0) env.classified.count(service.service, rule, this.#end);
  }

  get #end(): ClassifiedEnd {
    const { flags, grpcStatus, status } = this;
    const broken = flags.split(',').some(flag => UNANSWERED.has(flag));
    return { status, grpcStatus, broken };
  }
}
