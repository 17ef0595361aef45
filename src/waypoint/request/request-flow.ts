import { evaluate } from '#shared/authz/evaluate.ts';
import {
  ExchangeError,
  type RequestHead,
  type ResponseHead,
  type ServerExchange,
  type ServerExchangeSink,
} from '#shared/http/exchange.ts';
import { getHeader, type HeaderList } from '#shared/http/headers.ts';
import type { Timed } from '#shared/lifecycle/coarse-timers.ts';
import type { RouteFound } from '#shared/route/compiled-match.ts';
import { applyHeaderChange } from '#shared/route/filters.ts';
import { DEFAULT_RETRY_POLICY } from '#shared/route/default-retry.ts';
import type { HeaderChange, RetryPolicy, RouteBackend, RouteRule } from '#shared/route/model.ts';
import { normalizeTarget } from '#shared/route/path.ts';
import { pickBackend } from '#shared/route/pick-backend.ts';
import type { BalancedEndpoint } from '../balance/endpoint.ts';
import { retryBackoffMs } from '../retry/backoff.ts';
import { shouldRetry, type TryOutcome } from '../retry/policy.ts';
import type { ServiceState } from '../services/service-state.ts';
import { logRequest } from '../telemetry/request-log.ts';
import { chooseUpstreamProtocol } from '../upstream/choose-protocol.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import type { Downstream } from './environment.ts';
import { FAILURES, type RequestFailure } from './error-response.ts';
import { failureOf, flagOf } from './failure-of.ts';
import { RequestBody } from './request-body.ts';
import { applyFilters, type FilterResponse } from './route-filters.ts';
import { ensureTraceparent } from './trace-headers.ts';
import { adaptSwitch, asHttp1Upgrade } from './websocket.ts';

const NONE_TRIED: readonly BalancedEndpoint[] = [];
const NEVER = Number.POSITIVE_INFINITY;

/** Hands a request to its service. The sink is set when this returns; everything else follows from events. */
export function serveRequest(downstream: Downstream, exchange: ServerExchange): void {
  const flow = new RequestFlow(downstream, exchange);
  exchange.setSink(flow);
  flow.begin();
}

/**
 * One request from its head to its end: authorize, route, filter, pick, try, retry, record. Decisions are made by pure
 * functions; this class acts on them and keeps what they need. Exactly one record is made of each request.
 */
class RequestFlow implements ServerExchangeSink, AttemptOwner, Timed {
  deadlineAt = NEVER;
  timedIndex = -1;
  readonly #downstream: Downstream;
  readonly #exchange: ServerExchange;
  readonly #request: RequestHead;
  readonly #startMs: number;
  readonly #grpc: boolean;
  #body: RequestBody | undefined;
  #found: RouteFound | undefined;
  #rule: RouteRule | undefined;
  #backend: RouteBackend | undefined;
  #target: ServiceState | undefined;
  #retry: RetryPolicy = DEFAULT_RETRY_POLICY;
  #responseChanges: readonly HeaderChange[] = [];
  #attempt: Attempt | undefined;
  #endpoint: BalancedEndpoint | undefined;
  #tried: BalancedEndpoint[] | undefined;
  #attempts = 0;
  #responseStarted = false;
  #upstreamEnded = false;
  #done = false;
  #requestDeadline = NEVER;
  #tryDeadline = NEVER;
  #retryAt = NEVER;
  #status = 0;
  #flags = '-';
  #detail: string | undefined;
  #grpcStatus = '';
  #responseBytes = 0;
  #upstreamMs = -1;

  constructor(downstream: Downstream, exchange: ServerExchange) {
    this.#downstream = downstream;
    this.#exchange = exchange;
    this.#request = exchange.request;
    this.#startMs = downstream.env.clock.monotonic();
    this.#grpc = isGrpc(exchange.request);
    downstream.env.inFlight.enter();
  }

  begin(): void {
    const request = this.#request;
    if (request.method === 'CONNECT' && request.upgrade === undefined) return this.#fail('unsupported');
    if (request.path !== '*') {
      const path = normalizeTarget(request.path);
      if (path === undefined) return this.#fail('bad_path');
      request.path = path;
    }
    const { service, authz } = this.#downstream;
    const decision = evaluate(service.policies, authz, request);
    if (!decision.allowed) return this.#fail('denied', decision.reason);
    this.#route(service);
  }

  // --- where to

  #route(service: ServiceState): void {
    const { env, port } = this.#downstream;
    const request = this.#request;
    const found = service.matcher.find(request, port);
    const routed = service.routes?.routed === true && service.matcher.hasRulesFor(port);
    if (found === undefined && routed) return this.#fail('no_route');
    const rule = found?.rule ?? service.defaultRule(port);
    this.#found = found;
    this.#rule = rule;
    ensureTraceparent(request.headers, env.random);
    if (request.authority === '') request.authority = service.service.hostname;
    if (rule.filters.length > 0) {
      const outcome = applyFilters(rule.filters, request, port, found?.match);
      this.#responseChanges = outcome.responseChanges;
      if (outcome.response !== undefined) return this.#answer(outcome.response);
    }
    const backend = pickBackend(rule.backends, env.random());
    if (backend?.service === undefined) return this.#fail('no_backend');
    const target = backend.service === service.name ? service : env.services.get(backend.service);
    if (target === undefined) return this.#fail('unknown_service', `service ${backend.service} is not known`);
    if (backend.filters.length > 0) this.#applyBackendFilters(backend);
    this.#backend = backend;
    this.#target = target;
    this.#start(rule, target);
  }

  #applyBackendFilters(backend: RouteBackend): void {
    const outcome = applyFilters(backend.filters, this.#request, this.#downstream.port, this.#found?.match);
    this.#responseChanges = [...this.#responseChanges, ...outcome.responseChanges];
  }

  #start(rule: RouteRule, target: ServiceState): void {
    this.#retry = rule.retry ?? DEFAULT_RETRY_POLICY;
    const { contentLength, upgrade } = this.#request;
    if (contentLength !== 0) this.#body = new RequestBody(this.#retry.attempts > 0 && upgrade === undefined);
    const requestMs = rule.timeouts.requestMs ?? 0;
    if (requestMs > 0) this.#requestDeadline = this.#deadlineIn(requestMs);
    target.budget.recordRequest();
    this.#try();
  }

  // --- tries

  #try(): void {
    const { env, protocol } = this.#downstream;
    const backend = this.#backend;
    let target = this.#target;
    if (backend === undefined || target === undefined) return;
    if (target.stale) this.#target = target = env.services.get(target.name) ?? target;
    const endpoint = target
      .picker(backend.port, backend.subset)
      .pick(env.random(), this.#tried ?? NONE_TRIED);
    if (endpoint === undefined) return this.#fail('no_endpoint');
    this.#endpoint = endpoint;
    this.#attempts++;
    const tryMs = this.#rule?.timeouts.backendRequestMs ?? this.#retry.perTryTimeoutMs ?? 0;
    if (tryMs > 0) this.#tryDeadline = this.#deadlineIn(tryMs);
    this.#arm();
    const upstream = chooseUpstreamProtocol(target.port(backend.port)?.appProtocol, protocol, this.#request);
    const policy = target.upstreamPolicy(backend.subset);
    const request = this.#request;
    const head = request.method === 'CONNECT' && upstream === 'http1' ? asHttp1Upgrade(request) : request;
    const attempt = new Attempt(this, head, this.#body === undefined, endpoint);
    this.#attempt = attempt;
    attempt.start(env.pools.get(endpoint, upstream, policy.connectTimeoutMs), policy.limits);
  }

  onAttemptReady(attempt: Attempt): void {
    // What a client sends after asking for another protocol belongs to that protocol: it waits for the answer.
    if (this.#request.upgrade === undefined) this.#attachBody(attempt);
  }

  #attachBody({ exchange }: Attempt): void {
    if (exchange === undefined || this.#body === undefined) return;
    this.#body.attach(exchange);
    this.#exchange.resumeBody();
  }

  onAttemptInterim(head: ResponseHead): void {
    if (head.status === 100) this.#exchange.sendContinue();
    else this.#exchange.sendResponse(head, false);
  }

  onAttemptResponse(attempt: Attempt, head: ResponseHead, endStream: boolean): void {
    if (this.#upstreamMs < 0) this.#upstreamMs = this.#downstream.env.clock.monotonic() - this.#startMs;
    if (head.status >= 400 || this.#grpc) {
      const grpcStatus = this.#grpc && endStream ? getHeader(head.headers, 'grpc-status') : undefined;
      const numeric = grpcStatus === undefined ? undefined : Number(grpcStatus);
      if (this.#retryAfter({ kind: 'response', status: head.status, grpcStatus: numeric })) {
        attempt.cancel(new ExchangeError('cancelled', `answered ${head.status}, tried again`));
        return;
      }
      this.#grpcStatus = grpcStatus ?? '';
    }
    this.#commit(head.status);
    if (this.#responseChanges.length > 0) {
      for (const change of this.#responseChanges) applyHeaderChange(change, head.headers);
    }
    if (head.status === 101) adaptSwitch(this.#request, head);
    this.#exchange.sendResponse(head, endStream);
    if (head.status === 101) this.#attachBody(attempt);
  }

  onAttemptBody(slice: Buffer): boolean {
    this.#responseBytes += slice.length;
    return this.#exchange.sendBody(slice);
  }

  onAttemptEnd(attempt: Attempt, trailers: HeaderList): void {
    if (trailers.length > 0) {
      this.#exchange.endBody(trailers);
      if (this.#grpc) this.#grpcStatus = getHeader(trailers, 'grpc-status') ?? this.#grpcStatus;
    } else this.#exchange.endBody();
    // A tunnel ends when both directions have.
    if (this.#status === 101 && this.#body?.ended === false) {
      this.#upstreamEnded = true;
      return;
    }
    // Answered before the request was sent: nobody is interested in the rest.
    if (this.#body?.delivered === false) attempt.cancel(new ExchangeError('cancelled', 'answered early'));
    this.#finish();
  }

  onAttemptFailed(attempt: Attempt, error: ExchangeError): void {
    if (this.#responseStarted) {
      this.#flags = flagOf(error);
      this.#detail = error.message;
      this.#exchange.abort(error);
      this.#finish();
      return;
    }
    const requestSent = attempt.exchange !== undefined;
    const outcome: TryOutcome = {
      kind: 'error',
      code: error.code,
      requestSent,
      reusedConnection: attempt.reused,
    };
    if (!this.#retryAfter(outcome)) this.#fail(failureOf(error), error.message);
  }

  onAttemptWritable(): void {
    this.#exchange.resumeBody();
  }

  /** Decides on another try and sees to it. */
  #retryAfter(outcome: TryOutcome): boolean {
    const facts = {
      method: this.#request.method,
      replayable: this.#body?.replayable ?? true,
      responseStarted: this.#responseStarted,
      retries: this.#attempts - 1,
    };
    if (!shouldRetry(this.#retry, outcome, facts)) return false;
    if (this.#target?.budget.tryAcquire() !== true) {
      this.#detail = 'retry budget exhausted';
      return false;
    }
    this.#body?.rewind();
    this.#tryDeadline = NEVER;
    this.#attempt = undefined;
    const endpoint = this.#endpoint;
    if (endpoint !== undefined) {
      this.#tried ??= [];
      this.#tried.push(endpoint);
    }
    // An endpoint that cannot be reached says nothing of the others: the next one is asked at once.
    const unreachable = outcome.kind === 'error' && outcome.code === 'connect_failure' && facts.retries === 0;
    const delayMs = unreachable
      ? 0
      : retryBackoffMs(this.#retry, facts.retries, this.#downstream.env.random());
    if (delayMs < 1) this.#try();
    else {
      this.#retryAt = this.#deadlineIn(delayMs);
      this.#arm();
    }
    return true;
  }

  /** The response goes to the client: from here on there is no other try, and only the request's own timeout counts. */
  #commit(status: number): void {
    this.#responseStarted = true;
    this.#status = status;
    this.#body?.commit();
    if (this.#tryDeadline !== NEVER) {
      this.#tryDeadline = NEVER;
      this.#arm();
    }
    // A tunnel lives as long as its ends want.
    if (status === 101) {
      this.#requestDeadline = NEVER;
      this.#arm();
    }
  }

  // --- from the client

  onBody(slice: Buffer): boolean {
    return this.#done || this.#body === undefined || this.#body.append(slice);
  }

  onBodyEnd(trailers: HeaderList): void {
    if (this.#done) return;
    this.#body?.end(trailers);
    if (this.#upstreamEnded) this.#finish();
  }

  onWritable(): void {
    this.#attempt?.exchange?.resumeBody();
  }

  /** The client is gone, or broke the protocol; it has been answered as far as it can be. */
  onAbort(error: ExchangeError): void {
    if (this.#done) return;
    const malformed = error.code === 'protocol_error' || error.code === 'body_too_large';
    this.#flags = malformed ? 'DPE' : error.code === 'timeout' ? 'SI' : 'DC';
    this.#detail = error.message;
    this.#cancelAttempt(new ExchangeError('cancelled', error.message));
    this.#finish();
  }

  // --- time

  #deadlineIn(delayMs: number): number {
    const { timers } = this.#downstream.env;
    timers.add(this);
    return timers.after(delayMs);
  }

  #arm(): void {
    this.deadlineAt = Math.min(this.#requestDeadline, this.#tryDeadline, this.#retryAt);
  }

  onDeadline(): void {
    const { now } = this.#downstream.env.timers;
    if (now >= this.#requestDeadline) this.#requestTimedOut();
    else if (now >= this.#tryDeadline) this.#tryTimedOut();
    else if (now >= this.#retryAt) {
      this.#retryAt = NEVER;
      this.#arm();
      this.#try();
    } else this.#arm();
  }

  #requestTimedOut(): void {
    const error = new ExchangeError('timeout', 'request timeout of the route');
    this.#cancelAttempt(error);
    if (!this.#responseStarted) return this.#fail('request_timeout');
    this.#flags = FAILURES.request_timeout.flag;
    this.#exchange.abort(error);
    this.#finish();
  }

  #tryTimedOut(): void {
    this.#tryDeadline = NEVER;
    const attempt = this.#attempt;
    const error = new ExchangeError('timeout', 'timeout of one try');
    this.#cancelAttempt(error);
    const requestSent = attempt?.exchange !== undefined;
    this.#arm();
    if (!this.#retryAfter({ kind: 'error', code: 'timeout', requestSent, reusedConnection: false })) {
      this.#fail('try_timeout');
    }
  }

  #cancelAttempt(error: ExchangeError): void {
    this.#attempt?.cancel(error);
    this.#attempt = undefined;
  }

  // --- the end

  #fail(failure: RequestFailure, detail?: string): void {
    const row = FAILURES[failure];
    this.#flags = this.#attempts > 1 ? `${row.flag},URX` : row.flag;
    this.#detail =
      this.#detail === undefined ? (detail ?? row.body) : `${detail ?? row.body}; ${this.#detail}`;
    if (!this.#grpc) return this.#answer(plainAnswer(row.status, row.body));
    this.#grpcStatus = String(row.grpcStatus);
    this.#answer(grpcAnswer(row.grpcStatus, row.body));
  }

  #answer({ head, body }: FilterResponse): void {
    this.#responseStarted = true;
    this.#status = head.status;
    for (const change of this.#responseChanges) applyHeaderChange(change, head.headers);
    this.#exchange.sendResponse(head, body === '');
    if (body !== '') {
      this.#responseBytes = Buffer.byteLength(body);
      this.#exchange.sendBody(Buffer.from(body));
      this.#exchange.endBody();
    }
    this.#finish();
  }

  #finish(): void {
    if (this.#done) return;
    this.#done = true;
    const { env } = this.#downstream;
    if (this.timedIndex >= 0) env.timers.remove(this);
    this.#record(env.clock.monotonic() - this.#startMs);
    env.inFlight.leave();
  }

  #record(durationMs: number): void {
    const downstream = this.#downstream;
    const { env } = downstream;
    const service = (this.#target ?? downstream.service).service;
    const endpoint = this.#endpoint?.workload;
    if (
      downstream.pair === undefined ||
      downstream.pairService !== service ||
      downstream.pairEndpoint !== endpoint
    ) {
      downstream.pair = env.metrics.pair(downstream.peers, service, endpoint);
      downstream.pairService = service;
      downstream.pairEndpoint = endpoint;
    }
    const cells = downstream.pair.get(this.#grpc, this.#status, this.#flags, this.#grpcStatus);
    cells.requests.value++;
    cells.durationMs.observe(durationMs);
    cells.requestBytes.observe(this.#body?.bytes ?? 0);
    cells.responseBytes.observe(this.#responseBytes);
    const failed = this.#flags !== '-' || this.#status >= 500;
    if (env.accessLogMode === 'all' || (failed && env.accessLogMode === 'errors'))
      this.#log(service, durationMs);
  }

  #log(service: ServiceState['service'], durationMs: number): void {
    const { env, peers, sourceAddress } = this.#downstream;
    const endpoint = this.#endpoint;
    const [ip] = endpoint?.workload.addresses ?? [];
    logRequest(env.accessLog, {
      peers,
      sourceAddress,
      request: this.#request,
      service,
      endpoint: endpoint?.workload,
      endpointAddress: ip === undefined ? '' : `${ip.includes(':') ? `[${ip}]` : ip}:${endpoint?.targetPort}`,
      route: this.#rule?.name ?? '',
      attempts: this.#attempts,
      status: this.#status,
      flags: this.#flags,
      detail: this.#detail,
      grpcStatus: this.#grpcStatus,
      requestBytes: this.#body?.bytes ?? 0,
      responseBytes: this.#responseBytes,
      durationMs,
      upstreamMs: this.#upstreamMs,
    });
  }
}

function isGrpc(request: RequestHead): boolean {
  // gRPC is always a POST over HTTP/2; its web dialects are ordinary requests.
  if (request.protocol !== 'HTTP/2' || request.method !== 'POST') return false;
  const type = getHeader(request.headers, 'content-type') ?? '';
  return (
    type === 'application/grpc' ||
    type.startsWith('application/grpc+') ||
    type.startsWith('application/grpc;')
  );
}

function plainAnswer(status: number, text: string): FilterResponse {
  const body = `${text}\n`;
  return { head: { status, headers: ['content-type', 'text/plain'], contentLength: body.length }, body };
}

/** A response of trailers only: the one form in which a gRPC client finds a status (gRPC over HTTP/2, "Responses"). */
function grpcAnswer(grpcStatus: number, message: string): FilterResponse {
  const headers = [
    'content-type',
    'application/grpc',
    'grpc-status',
    String(grpcStatus),
    'grpc-message',
    message,
  ];
  return { head: { status: 200, headers, contentLength: undefined }, body: '' };
}
