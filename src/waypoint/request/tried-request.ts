import { ExchangeError, type RequestHead, type ResponseHead } from '#shared/http/exchange.ts';
import { getHeader, type HeaderList, setHeader } from '#shared/http/headers.ts';
import { asksForTunnel, isConnect, opensTunnel } from '#shared/http/tunnel.ts';
import { DEFAULT_RETRY_POLICY } from '#shared/route/default-retry.ts';
import { applyHeaderChange } from '#shared/route/filters.ts';
import type { RetryPolicy, RouteRule } from '#shared/route/model.ts';
import type { BalancedEndpoint } from '../balance/endpoint.ts';
import { retryBackoffMs } from '../retry/backoff.ts';
import type { RetryBudget } from '../retry/budget.ts';
import { isStaleConnection, shouldRetry, type TryOutcome, wasNotServed, wasUnsent } from '../retry/policy.ts';
import type { ServiceState, Upstream } from '../services/service-state.ts';
import { choosePoolProtocol } from '../upstream/choose-protocol.ts';
import type { PoolProtocol } from '../upstream/endpoint-pools.ts';
import { tlsTowards } from '../upstream/originated-tls.ts';
import type { SharedUse } from '../upstream/shared-use.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import { failureOf, flagOf } from './failure-of.ts';
import { formatGrpcTimeout } from './grpc-timeout.ts';
import { PickedRequest } from './picked-request.ts';
import { RequestBody } from './request-body.ts';
import { SlowTries } from './slow-tries.ts';
import { WaitingRetry } from './waiting-retry.ts';
import { adaptSwitch, asHttp1Upgrade } from './websocket.ts';

/** A request that knows where it goes: an endpoint is tried, and another one after it, until there is a response. */
export abstract class TriedRequest extends PickedRequest implements AttemptOwner {
  protected attempt: Attempt | undefined;
  /** The response is complete; of a tunnel, whose other direction is not. */
  protected upstreamEnded = false;
  #isTunnel = false;
  #retry: RetryPolicy = DEFAULT_RETRY_POLICY;
  /** Of a request that is hedged. */
  #slow: SlowTries | undefined;
  #next: WaitingRetry | undefined;
  #budget: RetryBudget | undefined;
  #shared: SharedUse | undefined;
  /** The last try found its connection closed. */
  #wasStale = false;

  protected start(rule: RouteRule, target: ServiceState): void {
    this.#retry = rule.retry ?? DEFAULT_RETRY_POLICY;
    const { request } = this;
    if (request.contentLength !== 0) {
      const sent = this.#retry.attempts > 0 ? 'replayed' : 'once';
      this.body ??= new RequestBody(asksForTunnel(request) ? 'tunnel' : sent);
    }
    this.startDeadlines(rule.timeouts);
    this.#budget = target.budgetOf(rule);
    this.#budget.recordRequest();
    this.pickEndpoint(this.#retry);
  }

  /** Others that are under way may still be answered. */
  protected override noEndpoint(): void {
    if (this.#slow === undefined || this.#slow.count === 0) this.fail('no_endpoint');
  }

  protected override send(upstream: Upstream, endpoint: BalancedEndpoint): void {
    const { downstream } = this;
    const { env, protocol } = downstream;
    const request = this.request;
    this.record.picked = endpoint;
    this.record.attempts++;
    const tryMs = this.rule?.timeouts.backendRequestMs ?? this.#retry.perTryTimeoutMs ?? 0;
    if (tryMs > 0) this.useDeadlines().startTry(tryMs);
    if (this.grpcDeadlineMs > 0) {
      const leftMs = this.grpcDeadlineMs - env.clock.monotonic();
      setHeader(request.headers, 'grpc-timeout', formatGrpcTimeout(leftMs));
    }
    const beside = this.#slow !== undefined && this.#slow.count > 0;
    this.record.trace?.onAttempt(request, endpoint, this.record.attempts, beside);
    const { connection, limits } = upstream;
    const spoken = choosePoolProtocol(upstream, endpoint, protocol, request, this.record.grpc);
    const head = this.#headFor(spoken, tlsTowards(endpoint.workload, connection) !== undefined);
    const classes = this.rule?.responseClasses;
    const attempt = new Attempt(this, head, this.body === undefined, endpoint, this.#wasStale, classes);
    attempt.ordinal = this.record.attempts;
    this.attempt = attempt;
    this.#shared = limits.shared;
    const pool = env.pools.get(endpoint, spoken, connection, downstream);
    attempt.start(pool, limits, this.record.attempts > 1);
  }

  #headFor(spoken: PoolProtocol, secured: boolean): RequestHead {
    const { request } = this;
    if (isConnect(request)) return request;
    if (request.method === 'CONNECT' && spoken === 'http1') return asHttp1Upgrade(request);
    return secured ? { ...request, scheme: 'https' } : request;
  }

  onAttemptReady(attempt: Attempt): void {
    // What a client sends after asking for a tunnel belongs into it: it waits for the answer.
    if (!asksForTunnel(this.request)) this.#attachBody(attempt);
  }

  #attachBody(attempt: Attempt): void {
    const { exchange } = attempt;
    const body = attempt === this.attempt ? this.body : this.#slow?.bodyOf(attempt);
    if (exchange === undefined || body === undefined) return;
    body.attach(exchange);
    this.exchange.resumeBody();
  }

  onAttemptInterim(head: ResponseHead): void {
    if (head.status === 100) this.exchange.sendContinue();
    else this.exchange.sendResponse(head, false);
  }

  onAttemptResponse(attempt: Attempt, head: ResponseHead, endStream: boolean): void {
    this.idle?.touch();
    this.record.trace?.onAttemptStatus(attempt.ordinal, head.status);
    if (this.record.upstreamMs < 0)
      this.record.upstreamMs = this.downstream.env.clock.monotonic() - this.record.startMs;
    const opens = opensTunnel(this.request, head.status);
    const { grpc } = this.record;
    const grpcStatus = grpc && endStream ? getHeader(head.headers, 'grpc-status') : undefined;
    const isRetriable = head.status >= 400 || this.#retry.statusCodes.includes(head.status);
    if (grpc ? isRetriable || grpcStatus !== undefined : isRetriable && !opens) {
      const numeric = grpcStatus === undefined ? undefined : Number(grpcStatus);
      const outcome = { kind: 'response', status: head.status, grpcStatus: numeric } as const;
      if (this.#goesOnWithout(attempt, outcome) || this.#retryAfter(outcome)) {
        this.record.trace?.onAttemptOver(attempt.ordinal);
        attempt.cancel(new ExchangeError('cancelled', `answered ${head.status}, tried again`));
        return;
      }
    }
    if (grpc) this.record.grpcStatus = grpcStatus ?? '';
    if (this.#slow !== undefined) this.#win(attempt, this.#slow);
    this.#commit(head.status, opens);
    if (this.backend !== undefined) this.session?.write(head.headers, this.backend, attempt.endpoint);
    if (this.responseChanges.length > 0) {
      for (const change of this.responseChanges) applyHeaderChange(change, head.headers);
    }
    if (head.status === 101) adaptSwitch(this.request, head);
    this.tapResponse(head);
    this.exchange.sendResponse(head, endStream);
    if (opens) this.#attachBody(attempt);
  }

  onAttemptBody(slice: Buffer): boolean {
    this.idle?.touch();
    this.record.responseBytes += slice.length;
    this.record.responseMessages?.onBody(slice);
    return this.exchange.sendBody(slice);
  }

  onAttemptEnd(attempt: Attempt, trailers: HeaderList): void {
    if (trailers.length > 0) {
      this.exchange.endBody(trailers);
      if (this.record.grpc)
        this.record.grpcStatus = getHeader(trailers, 'grpc-status') ?? this.record.grpcStatus;
    } else this.exchange.endBody();
    // A tunnel ends when both directions have.
    if (this.#isTunnel && this.body?.ended === false) {
      this.upstreamEnded = true;
      return;
    }
    // Answered before the request was sent: nobody is interested in the rest.
    if (this.body?.delivered === false) attempt.cancel(new ExchangeError('cancelled', 'answered early'));
    this.finish();
  }

  onAttemptFailed(attempt: Attempt, error: ExchangeError): void {
    this.record.trace?.onAttemptFailed(attempt.ordinal, error.code, error.message);
    if (this.responseStarted) {
      this.record.flags = flagOf(error);
      this.record.detail = error.message;
      this.exchange.abort(error);
      this.finish();
      return;
    }
    const requestSent = attempt.exchange !== undefined;
    const outcome: TryOutcome = {
      kind: 'error',
      code: error.code,
      requestSent,
      reusedConnection: attempt.reused,
    };
    if (this.#goesOnWithout(attempt, outcome) || this.#retryAfter(outcome)) return;
    this.fail(failureOf(error), error.message);
  }

  onAttemptWritable(): void {
    this.idle?.touch();
    this.exchange.resumeBody();
  }

  /** Decides on another try and sees to it. */
  #retryAfter(outcome: TryOutcome): boolean {
    const facts = {
      method: this.request.method,
      replayable: this.body?.replayable ?? true,
      responseStarted: this.responseStarted,
      retries: this.record.attempts - 1,
    };
    if (!shouldRetry(this.#retry, outcome, facts)) return false;
    // What was answered is under way until the next try is seen to.
    const ending = outcome.kind === 'response' && facts.retries > 0 ? 1 : 0;
    if (this.#shared?.retriesFull(ending) === true) {
      this.record.detail = `${this.#shared.retries} retries are under way already`;
      return false;
    }
    this.#wasStale = isStaleConnection(outcome);
    const isFree = wasUnsent(outcome);
    if (!isFree && this.#budget?.tryAcquire() !== true) {
      this.record.detail = 'retry budget exhausted';
      return false;
    }
    this.body?.rewind();
    this.deadlines?.endTry();
    this.attempt = undefined;
    const endpoint = this.record.picked;
    // Nothing is wrong with an endpoint whose idle connection had ended.
    if (endpoint !== undefined && !isFree) this.leaveOut(endpoint);
    // An endpoint that cannot be reached, or takes nothing more, says nothing of the others: the next one is asked at once.
    const delayMs =
      facts.retries === 0 && wasNotServed(outcome)
        ? 0
        : retryBackoffMs(this.#retry, facts.retries, this.downstream.env.random());
    if (delayMs < 1) this.pickEndpoint(this.#retry);
    else {
      this.#next = new WaitingRetry(this.#shared);
      this.useDeadlines().startRetry(delayMs);
    }
    return true;
  }

  /**
   * A hedged request whose newest try takes too long: it goes on, and another one is made beside it.
   * @returns false: this request is not hedged, and the try is to be given up
   */
  #hedge(): boolean {
    const slow = this.attempt;
    const isHedged = this.rule?.hedge !== undefined && this.deadlines?.bounded === true;
    if (slow === undefined || !isHedged || !this.#canBeSentTwice()) return false;
    slow.judgeSlow();
    // As Envoy: whatever the conditions of retries, as a try that goes on has not failed.
    if (this.record.attempts > this.#retry.attempts || this.#shared?.retriesFull() === true) return true;
    if (this.#budget?.tryAcquire() !== true) return true;
    this.#slow ??= new SlowTries();
    this.#slow.add(slow, this.body);
    this.body = this.body?.copy();
    this.leaveOut(slow.endpoint);
    this.#wasStale = false;
    this.attempt = undefined;
    this.pickEndpoint(this.#retry);
    return true;
  }

  /** All of its body is here. */
  #canBeSentTwice(): boolean {
    const { body } = this;
    if (asksForTunnel(this.request) || this.responseStarted) return false;
    return body === undefined || (body.ended && body.replayable);
  }

  /** Of a hedged request a try has failed, or got an answer that is not wanted, while others may get a better one. */
  #goesOnWithout(attempt: Attempt, outcome: TryOutcome): boolean {
    const slow = this.#slow;
    if (slow === undefined || this.responseStarted || !this.#isBad(outcome)) return false;
    if (attempt === this.attempt) {
      if (this.#retryAfter(outcome)) return true;
      if (slow.count === 0) return false;
      this.attempt = undefined;
      this.deadlines?.endTry();
      return true;
    }
    const body = slow.take(attempt);
    if (this.attempt !== undefined || this.#next !== undefined || slow.count > 0) return true;
    this.#promote(attempt, body);
    return false;
  }

  #isBad(outcome: TryOutcome): boolean {
    const facts = { method: this.request.method, replayable: true, responseStarted: false, retries: 0 };
    return outcome.kind === 'error' || shouldRetry(this.#retry, outcome, facts);
  }

  /** The first good answer: nobody waits for the others. */
  #win(attempt: Attempt, slow: SlowTries): void {
    const reason = new ExchangeError('cancelled', 'another try was answered first');
    if (attempt !== this.attempt) {
      const body = slow.take(attempt);
      this.#cancelNewest(reason);
      this.#promote(attempt, body);
    }
    slow.cancel(reason, this.record.trace);
    // Why there was no other try matters no longer.
    this.record.detail = undefined;
    this.#next = this.#next?.end();
    this.deadlines?.endRetry();
  }

  /** A slow try is the only one. */
  #promote(attempt: Attempt, body: RequestBody | undefined): void {
    this.attempt = attempt;
    this.body = body;
    this.record.picked = attempt.endpoint;
  }

  /** The response goes to the client: from here on there is no other try, and only the request's own timeout counts. */
  #commit(status: number, isTunnel: boolean): void {
    this.responseStarted = true;
    this.#isTunnel = isTunnel;
    this.record.status = status;
    this.body?.commit();
    // A tunnel lives as long as its ends want.
    if (isTunnel) this.deadlines?.end();
    else this.deadlines?.endTry();
  }

  onRetryDue(): void {
    this.#next = this.#next?.end();
    this.pickEndpoint(this.#retry);
  }

  onTryTimeout(): void {
    if (this.#hedge()) return;
    const attempt = this.attempt;
    const error = new ExchangeError('timeout', 'timeout of one try');
    this.cancelAttempt(error);
    const requestSent = attempt?.exchange !== undefined;
    if (!this.#retryAfter({ kind: 'error', code: 'timeout', requestSent, reusedConnection: false })) {
      this.fail('try_timeout');
    }
  }

  protected cancelAttempt(error: ExchangeError): void {
    this.#cancelNewest(error);
    this.#slow?.cancel(error, this.record.trace);
  }

  #cancelNewest(error: ExchangeError): void {
    const { attempt } = this;
    if (attempt === undefined) return;
    this.record.trace?.onAttemptFailed(attempt.ordinal, error.code, error.message);
    attempt.cancel(error);
    this.attempt = undefined;
  }

  protected override release(): void {
    super.release();
    this.#next = this.#next?.end();
    this.attempt?.end();
    this.#slow?.cancel(new ExchangeError('cancelled', 'the request is over'), this.record.trace);
  }
}
