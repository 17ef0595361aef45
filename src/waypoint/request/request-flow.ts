import {
  ExchangeError,
  type RequestHead,
  type ResponseHead,
  type ServerExchange,
  type ServerExchangeSink,
} from '#shared/http/exchange.ts';
import { getHeader, type HeaderList, setHeader } from '#shared/http/headers.ts';
import { RESPONSE_FLAGS } from '#shared/observability/response-flags.ts';
import type { RouteFound } from '#shared/route/compiled-match.ts';
import { applyHeaderChange } from '#shared/route/filters.ts';
import { DEFAULT_RETRY_POLICY } from '#shared/route/default-retry.ts';
import type { RetryPolicy, RouteBackend, RouteRule, RouteTimeouts } from '#shared/route/model.ts';
import type { HeaderChange } from '#shared/route/route-filter.ts';
import { NO_HASH } from '../balance/choice.ts';
import type { BalancedEndpoint } from '../balance/endpoint.ts';
import { formatNewCookie, hashRequest } from '../balance/request-hash.ts';
import { ClientSession } from '../balance/session.ts';
import type { FilterResponse } from '../filters/filter-response.ts';
import type { FilterStep } from '../filters/filter-step.ts';
import { grpcStatusFor, type Refusal, refusalResponse } from '../filters/refusal.ts';
import type { RuleFilters } from '../filters/rule-filters.ts';
import { retryBackoffMs } from '../retry/backoff.ts';
import type { RetryBudget } from '../retry/budget.ts';
import { shouldRetry, type TryOutcome, wasNotServed } from '../retry/policy.ts';
import { failOver } from '../services/failover.ts';
import type { ServiceState, Upstream } from '../services/service-state.ts';
import { ensureTraceparent } from '../tracing/write-context.ts';
import type { TapSubject } from '../tap/thread-taps.ts';
import { chooseUpstreamProtocol } from '../upstream/choose-protocol.ts';
import type { SharedUse } from '../upstream/shared-use.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import { authorize, checkRequest, decideForward, findRoute, ruleFor } from './decide.ts';
import type { Downstream } from './environment.ts';
import { FAILURES, type RequestFailure } from './error-response.ts';
import { failureAnswer, isGrpc } from './failure-answer.ts';
import { failureOf, flagOf } from './failure-of.ts';
import { formatGrpcTimeout, parseGrpcTimeout } from './grpc-timeout.ts';
import { RequestBody } from './request-body.ts';
import { RequestFilters } from './request-filters.ts';
import { type DeadlineOwner, RequestDeadlines } from './request-deadlines.ts';
import { RequestRecord } from './request-record.ts';
import { StreamIdle } from './stream-idle.ts';
import { adaptSwitch, asHttp1Upgrade } from './websocket.ts';

const NONE_TRIED: readonly BalancedEndpoint[] = [];

type AppliedFilters = Pick<RuleFilters, 'changes' | 'mirrors'>;
const NO_FILTERS: AppliedFilters = { changes: [], mirrors: [] };

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
class RequestFlow implements ServerExchangeSink, AttemptOwner, DeadlineOwner {
  readonly #downstream: Downstream;
  readonly #exchange: ServerExchange;
  readonly #request: RequestHead;
  readonly #record: RequestRecord;
  #body: RequestBody | undefined;
  #rule: RouteRule | undefined;
  #backend: RouteBackend | undefined;
  #target: ServiceState | undefined;
  #retry: RetryPolicy = DEFAULT_RETRY_POLICY;
  #responseChanges: readonly HeaderChange[] = [];
  #attempt: Attempt | undefined;
  #tried: BalancedEndpoint[] | undefined;
  #responseStarted = false;
  #upstreamEnded = false;
  #done = false;
  #budget: RetryBudget | undefined;
  #shared: SharedUse | undefined;
  #hash: number | undefined;
  #session: ClientSession | undefined;
  /** Of gRPC, monotonic: what is left of it is told to the upstream; 0 is none. */
  #grpcDeadlineMs = 0;
  #responseMs = 0;
  #deadlines: RequestDeadlines | undefined;
  #idle: StreamIdle | undefined;
  #filters: RequestFilters | undefined;

  constructor(downstream: Downstream, exchange: ServerExchange) {
    this.#downstream = downstream;
    this.#exchange = exchange;
    this.#request = exchange.request;
    const { env, service } = downstream;
    this.#record = new RequestRecord(env.clock.monotonic(), isGrpc(exchange.request), service.service);
    env.inFlight.enter();
  }

  begin(): void {
    const { env, service } = this.#downstream;
    const overloaded = env.overload.refusal(env.inFlight.count);
    if (!env.taps.idle) this.#record.tapped = env.taps.begin(tapSubject(this.#downstream), this.#request);
    this.#record.trace = env.tracer?.begin(this.#request, this.#downstream.service.routes?.telemetry);
    if (overloaded !== undefined) return this.#fail('overloaded', overloaded);
    const failure = checkRequest(this.#request);
    if (failure !== undefined) return this.#fail(failure);
    const found = findRoute(this.#downstream, this.#request);
    if (found !== undefined && this.#answerPreflight(found.rule)) return;
    if (!service.guarded) return this.#authorize(found);
    ensureTraceparent(this.#request.headers, env.random);
    // What a verified token or an authorizer puts into the request may lead it elsewhere.
    this.#pass(env.filters.guardOf(service), () =>
      this.#authorize(findRoute(this.#downstream, this.#request)),
    );
  }

  /** Browsers send preflights without credentials: they are answered before anybody asks for some. */
  #answerPreflight(rule: RouteRule): boolean {
    if (rule.filters.length === 0) return false;
    const { cors } = this.#downstream.env.filters.ofRule(this.#downstream.service.name, rule);
    const response = cors && this.#useFilters().applyCors(cors);
    if (response === undefined) return false;
    this.#record.route = rule.name;
    this.#answer(response);
    return true;
  }

  #authorize(found: RouteFound | undefined): void {
    const decision = authorize(this.#downstream, this.#request, this.#filters?.token);
    if (!decision.allowed) return this.#fail('denied', decision.reason);
    const rule = ruleFor(this.#downstream, found);
    if (rule === undefined) return this.#fail('no_route');
    this.#rule = rule;
    this.#record.route = rule.name;
    ensureTraceparent(this.#request.headers, this.#downstream.env.random);
    if (rule.filters.length === 0) this.#forward(rule, NO_FILTERS, found?.match);
    else this.#applyFilters(rule, found?.match);
  }

  #applyFilters(rule: RouteRule, match: RouteFound['match']): void {
    const { env, service } = this.#downstream;
    const filters = env.filters.ofRule(service.name, rule);
    if (filters.cors !== undefined) this.#useFilters().applyCors(filters.cors);
    if (filters.steps.length === 0) this.#forward(rule, filters, match);
    else this.#pass(filters.steps, () => this.#forward(rule, filters, match));
  }

  /** Goes on once all steps have passed the request; the first that refuses ends it. */
  #pass(steps: readonly FilterStep[], goOn: () => void): void {
    this.#watchStreamIdle();
    this.#useFilters().run(steps, refusal => {
      if (refusal === undefined) goOn();
      else this.#refuse(refusal);
    });
  }

  #useFilters(): RequestFilters {
    if (this.#filters !== undefined) return this.#filters;
    // A body that comes meanwhile is held.
    const { contentLength, upgrade } = this.#request;
    if (contentLength !== 0) this.#body = new RequestBody(upgrade === undefined);
    const filters = new RequestFilters(this.#downstream, this.#exchange, this.#record.grpc, this.#body);
    // Whoever answers before the request is forwarded, its changes hold.
    if (this.#target === undefined) this.#responseChanges = filters.responseChanges;
    return (this.#filters = filters);
  }

  #forward(rule: RouteRule, { changes, mirrors }: AppliedFilters, match: RouteFound['match']): void {
    const decision = decideForward(this.#downstream, this.#request, rule, changes, match);
    if (decision.kind === 'fail') return this.#fail(decision.failure, decision.detail);
    const { responseChanges } = decision;
    const before = this.#responseChanges;
    this.#responseChanges = before.length === 0 ? responseChanges : [...before, ...responseChanges];
    if (decision.kind === 'answer') return this.#answer(decision.response);
    this.#backend = decision.backend;
    this.#target = decision.target;
    this.#record.service = decision.target.service;
    if (mirrors.length + decision.mirrors.length > 0)
      this.#useFilters().mirror([...mirrors, ...decision.mirrors]);
    this.#start(rule, decision.target);
  }

  #start(rule: RouteRule, target: ServiceState): void {
    this.#retry = rule.retry ?? DEFAULT_RETRY_POLICY;
    const { contentLength, upgrade } = this.#request;
    if (contentLength !== 0)
      this.#body ??= new RequestBody(this.#retry.attempts > 0 && upgrade === undefined);
    this.#startDeadlines(rule.timeouts);
    this.#budget = target.budgetOf(rule);
    this.#budget.recordRequest();
    this.#try();
  }

  #startDeadlines({ idleMs = 0, requestMs = 0, responseMs = 0 }: RouteTimeouts): void {
    const grpcMs = this.#record.grpc
      ? parseGrpcTimeout(getHeader(this.#request.headers, 'grpc-timeout') ?? '')
      : undefined;
    const limitMs = grpcMs === undefined || (requestMs > 0 && requestMs < grpcMs) ? requestMs : grpcMs;
    if (grpcMs !== undefined || limitMs > 0) this.#useDeadlines().startRequest(limitMs);
    if (this.#record.grpc && limitMs > 0) this.#grpcDeadlineMs = this.#record.startMs + limitMs;
    this.#responseMs = responseMs;
    if (this.#body === undefined || this.#body.ended) this.#awaitResponse();
    if (idleMs > 0) this.#watchIdle(idleMs, 'timeout of the route');
    else this.#watchStreamIdle();
  }

  /** An HTTP/1.1 connection looks after its own silence. */
  #watchStreamIdle(): void {
    if (this.#request.protocol === 'HTTP/2' && this.#idle === undefined)
      this.#watchIdle(this.#downstream.env.streamIdleTimeoutMs, 'STREAM_IDLE_TIMEOUT');
  }

  /** The request is complete: from now on its response has so long. */
  #awaitResponse(): void {
    if (this.#responseMs > 0) this.#useDeadlines().startResponse(this.#responseMs);
  }

  // --- tries

  #try(): void {
    const { env } = this.#downstream;
    const backend = this.#backend;
    let target = this.#target;
    if (backend === undefined || target === undefined) return;
    if (target.stale) this.#target = target = env.services.get(target.name) ?? target;
    const upstream = target.upstream(backend.port, backend.subset);
    const tried = this.#retry.hostSelectionAttempts === 0 ? NONE_TRIED : (this.#tried ?? NONE_TRIED);
    const random = env.random();
    const session = this.#useSession();
    const endpoint =
      session?.find(upstream.picker.endpoints, tried) ??
      upstream.picker.pick(random, tried, this.#hashBy(upstream));
    if (endpoint !== undefined) return this.#send(upstream, endpoint);
    const other = failOver(env.services, upstream, backend.port, random, tried);
    if (other === undefined) this.#fail('no_endpoint');
    else this.#send(other.upstream, other.endpoint);
  }

  #useSession(): ClientSession | undefined {
    const policy = this.#rule?.session;
    if (policy === undefined) return undefined;
    return (this.#session ??= new ClientSession(policy, this.#request, this.#downstream.env.clock.now()));
  }

  #send(upstream: Upstream, endpoint: BalancedEndpoint): void {
    const { env, protocol } = this.#downstream;
    const request = this.#request;
    this.#record.endpoint = endpoint;
    this.#record.attempts++;
    const tryMs = this.#rule?.timeouts.backendRequestMs ?? this.#retry.perTryTimeoutMs ?? 0;
    if (tryMs > 0) this.#useDeadlines().startTry(tryMs);
    if (this.#grpcDeadlineMs > 0) {
      const leftMs = this.#grpcDeadlineMs - env.clock.monotonic();
      setHeader(request.headers, 'grpc-timeout', formatGrpcTimeout(leftMs));
    }
    this.#record.trace?.onAttempt(request, endpoint);
    const { connectTimeoutMs, limits, policy, port } = upstream;
    const spoken = chooseUpstreamProtocol(port?.appProtocol, protocol, request, policy);
    const head = request.method === 'CONNECT' && spoken === 'http1' ? asHttp1Upgrade(request) : request;
    const attempt = new Attempt(this, head, this.#body === undefined, endpoint);
    this.#attempt = attempt;
    this.#shared = limits.shared;
    attempt.start(env.pools.get(endpoint, spoken, connectTimeoutMs), limits, this.#record.attempts > 1);
  }

  /** The same for all tries of a request. A client that has no cookie to be known by gets one. */
  #hashBy({ hash }: Upstream): number {
    if (hash.length === 0) return NO_HASH;
    if (this.#hash !== undefined) return this.#hash;
    const { env, sourceAddress } = this.#downstream;
    const made = hashRequest(hash, this.#request, sourceAddress, env.random());
    this.#hash = made.hash;
    if (made.newCookie !== undefined) {
      const cookie = { name: 'set-cookie', value: formatNewCookie(made.newCookie) };
      this.#responseChanges = [...this.#responseChanges, { set: [], add: [cookie], remove: [] }];
    }
    return made.hash;
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
    this.#idle?.touch();
    this.#record.trace?.onAttemptStatus(head.status);
    if (this.#record.upstreamMs < 0)
      this.#record.upstreamMs = this.#downstream.env.clock.monotonic() - this.#record.startMs;
    if (head.status >= 400 || this.#record.grpc) {
      const grpcStatus = this.#record.grpc && endStream ? getHeader(head.headers, 'grpc-status') : undefined;
      const numeric = grpcStatus === undefined ? undefined : Number(grpcStatus);
      if (this.#retryAfter({ kind: 'response', status: head.status, grpcStatus: numeric })) {
        attempt.cancel(new ExchangeError('cancelled', `answered ${head.status}, tried again`));
        return;
      }
      this.#record.grpcStatus = grpcStatus ?? '';
    }
    this.#commit(head.status);
    this.#session?.write(head.headers, attempt.endpoint);
    if (this.#responseChanges.length > 0) {
      for (const change of this.#responseChanges) applyHeaderChange(change, head.headers);
    }
    if (head.status === 101) adaptSwitch(this.#request, head);
    this.#tapResponse(head);
    this.#exchange.sendResponse(head, endStream);
    if (head.status === 101) this.#attachBody(attempt);
  }

  onAttemptBody(slice: Buffer): boolean {
    this.#idle?.touch();
    this.#record.responseBytes += slice.length;
    this.#record.responseMessages?.onBody(slice);
    return this.#exchange.sendBody(slice);
  }

  onAttemptEnd(attempt: Attempt, trailers: HeaderList): void {
    if (trailers.length > 0) {
      this.#exchange.endBody(trailers);
      if (this.#record.grpc)
        this.#record.grpcStatus = getHeader(trailers, 'grpc-status') ?? this.#record.grpcStatus;
    } else this.#exchange.endBody();
    // A tunnel ends when both directions have.
    if (this.#record.status === 101 && this.#body?.ended === false) {
      this.#upstreamEnded = true;
      return;
    }
    // Answered before the request was sent: nobody is interested in the rest.
    if (this.#body?.delivered === false) attempt.cancel(new ExchangeError('cancelled', 'answered early'));
    this.#finish();
  }

  onAttemptFailed(attempt: Attempt, error: ExchangeError): void {
    this.#record.trace?.onAttemptFailed(error.code, error.message);
    if (this.#responseStarted) {
      this.#record.flags = flagOf(error);
      this.#record.detail = error.message;
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
    this.#idle?.touch();
    this.#exchange.resumeBody();
  }

  /** Decides on another try and sees to it. */
  #retryAfter(outcome: TryOutcome): boolean {
    const facts = {
      method: this.#request.method,
      replayable: this.#body?.replayable ?? true,
      responseStarted: this.#responseStarted,
      retries: this.#record.attempts - 1,
    };
    if (!shouldRetry(this.#retry, outcome, facts)) return false;
    if (this.#shared?.retriesFull === true) {
      this.#record.detail = `${this.#shared.retries} retries are under way already`;
      return false;
    }
    if (this.#budget?.tryAcquire() !== true) {
      this.#record.detail = 'retry budget exhausted';
      return false;
    }
    this.#body?.rewind();
    this.#deadlines?.endTry();
    this.#attempt = undefined;
    const endpoint = this.#record.endpoint;
    if (endpoint !== undefined) {
      this.#tried ??= [];
      this.#tried.push(endpoint);
    }
    // An endpoint that cannot be reached, or takes nothing more, says nothing of the others: the next one is asked at once.
    const delayMs =
      facts.retries === 0 && wasNotServed(outcome)
        ? 0
        : retryBackoffMs(this.#retry, facts.retries, this.#downstream.env.random());
    if (delayMs < 1) this.#try();
    else this.#useDeadlines().startRetry(delayMs);
    return true;
  }

  /** The response goes to the client: from here on there is no other try, and only the request's own timeout counts. */
  #commit(status: number): void {
    this.#responseStarted = true;
    this.#record.status = status;
    this.#body?.commit();
    // A tunnel lives as long as its ends want.
    if (status === 101) this.#deadlines?.end();
    else this.#deadlines?.endTry();
  }

  // --- from the client

  onBody(slice: Buffer): boolean {
    this.#idle?.touch();
    this.#record.requestMessages?.onBody(slice);
    if (this.#done || this.#body === undefined) return true;
    this.#filters?.onBody(slice);
    return this.#body.append(slice);
  }

  onBodyEnd(trailers: HeaderList): void {
    if (this.#done) return;
    this.#filters?.onBodyEnd(trailers);
    this.#body?.end(trailers);
    if (this.#upstreamEnded) this.#finish();
    else this.#awaitResponse();
  }

  onWritable(): void {
    this.#idle?.touch();
    this.#attempt?.exchange?.resumeBody();
  }

  /** The client is gone, or broke the protocol; it has been answered as far as it can be. */
  onAbort(error: ExchangeError): void {
    if (this.#done) return;
    const malformed = error.code === 'protocol_error' || error.code === 'body_too_large';
    this.#record.flags = malformed ? 'DPE' : error.code === 'timeout' ? 'SI' : 'DC';
    this.#record.detail = error.message;
    this.#cancelAttempt(new ExchangeError('cancelled', error.message));
    this.#finish();
  }

  // --- time

  #useDeadlines(): RequestDeadlines {
    return (this.#deadlines ??= new RequestDeadlines(this.#downstream.env.timers, this));
  }

  onRetryDue(): void {
    this.#try();
  }

  onRequestTimeout(): void {
    this.#timeOut('request_timeout', 'request timeout of the route');
  }

  /** The answer of the failure where none has begun; a broken message where one has. */
  #timeOut(failure: RequestFailure, message: string): void {
    const error = new ExchangeError('timeout', message);
    this.#cancelAttempt(error);
    if (!this.#responseStarted) return this.#fail(failure, message);
    this.#record.flags = FAILURES[failure].flag;
    this.#record.detail = message;
    this.#exchange.abort(error);
    this.#finish();
  }

  #watchIdle(timeoutMs: number, name: string): void {
    const { connectionTimers } = this.#downstream.env;
    this.#idle?.end();
    this.#idle = new StreamIdle(connectionTimers, timeoutMs, () =>
      this.#timeOut('stream_idle', `nothing moved for ${timeoutMs} ms (${name})`),
    );
  }

  onTryTimeout(): void {
    const attempt = this.#attempt;
    const error = new ExchangeError('timeout', 'timeout of one try');
    this.#cancelAttempt(error);
    const requestSent = attempt?.exchange !== undefined;
    if (!this.#retryAfter({ kind: 'error', code: 'timeout', requestSent, reusedConnection: false })) {
      this.#fail('try_timeout');
    }
  }

  #cancelAttempt(error: ExchangeError): void {
    if (this.#attempt !== undefined) this.#record.trace?.onAttemptFailed(error.code, error.message);
    this.#attempt?.cancel(error);
    this.#attempt = undefined;
  }

  // --- the end

  #fail(failure: RequestFailure, detail?: string): void {
    const row = FAILURES[failure];
    this.#record.flags = this.#record.attempts > 1 ? `${row.flag},URX` : row.flag;
    this.#record.detail =
      this.#record.detail === undefined
        ? (detail ?? row.body)
        : `${detail ?? row.body}; ${this.#record.detail}`;
    if (this.#record.grpc) this.#record.grpcStatus = String(row.grpcStatus);
    this.#answer(failureAnswer(row, this.#record.grpc));
  }

  /** The answer of a filter that lets nothing pass. */
  #refuse(refusal: Refusal): void {
    this.#record.flags = refusal.flag;
    this.#record.detail = refusal.detail;
    if (this.#record.grpc) this.#record.grpcStatus = String(grpcStatusFor(refusal));
    this.#answer(refusalResponse(refusal, this.#record.grpc));
  }

  #answer({ head: { contentLength, headers, status }, body }: FilterResponse): void {
    this.#responseStarted = true;
    this.#record.status = status;
    // A copy: some answers are made once and given to many.
    const head = { status, headers: [...headers], contentLength };
    for (const change of this.#responseChanges) applyHeaderChange(change, head.headers);
    this.#tapResponse(head);
    this.#exchange.sendResponse(head, body.length === 0);
    if (body.length > 0) {
      this.#record.responseBytes = Buffer.byteLength(body);
      this.#exchange.sendBody(Buffer.from(body));
      this.#exchange.endBody();
    }
    this.#finish();
  }

  #endFilters(filters: RequestFilters): void {
    filters.end();
    const { flags } = this.#record;
    const delayed = RESPONSE_FLAGS.faultDelay;
    if (filters.delayed) this.#record.flags = flags === '-' ? delayed : `${delayed},${flags}`;
  }

  #tapResponse(head: ResponseHead): void {
    const { startMs, tapped } = this.#record;
    tapped?.onResponse(head, this.#downstream.env.clock.monotonic() - startMs);
  }

  #finish(): void {
    if (this.#done) return;
    this.#done = true;
    const { env } = this.#downstream;
    this.#deadlines?.end();
    this.#idle?.end();
    if (this.#filters !== undefined) this.#endFilters(this.#filters);
    this.#record.requestBytes = this.#body?.bytes ?? 0;
    this.#record.write(this.#downstream, this.#request);
    env.inFlight.leave();
  }
}

function tapSubject({ peers, service, sourceAddress }: Downstream): TapSubject {
  return { peers, service: service.service, sourceAddress };
}
