import { ExchangeError, type RequestHead, type ResponseHead } from '#shared/http/exchange.ts';
import { getHeader, type HeaderList, setHeader } from '#shared/http/headers.ts';
import { DEFAULT_RETRY_POLICY } from '#shared/route/default-retry.ts';
import { applyHeaderChange } from '#shared/route/filters.ts';
import type { RetryPolicy, RouteBackend, RouteRule } from '#shared/route/model.ts';
import { NO_HASH } from '../balance/choice.ts';
import type { BalancedEndpoint } from '../balance/endpoint.ts';
import { formatNewCookie, hashRequest } from '../balance/request-hash.ts';
import { ClientSession } from '../balance/session.ts';
import { retryBackoffMs } from '../retry/backoff.ts';
import type { RetryBudget } from '../retry/budget.ts';
import { isStaleConnection, shouldRetry, type TryOutcome, wasNotServed, wasUnsent } from '../retry/policy.ts';
import { failOver } from '../services/failover.ts';
import type { ServiceState, Upstream } from '../services/service-state.ts';
import { choosePoolProtocol } from '../upstream/choose-protocol.ts';
import type { PoolProtocol } from '../upstream/endpoint-pools.ts';
import { tlsTowards } from '../upstream/originated-tls.ts';
import type { SharedUse } from '../upstream/shared-use.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import { failureOf, flagOf } from './failure-of.ts';
import { formatGrpcTimeout } from './grpc-timeout.ts';
import { RequestBody } from './request-body.ts';
import { TimedRequest } from './timed-request.ts';
import { adaptSwitch, asHttp1Upgrade } from './websocket.ts';

const NONE_TRIED: readonly BalancedEndpoint[] = [];

/** A request that knows where it goes: an endpoint is picked and tried, and another one after it, until there is a response. */
export abstract class TriedRequest extends TimedRequest implements AttemptOwner {
  protected rule: RouteRule | undefined;
  protected backend: RouteBackend | undefined;
  protected target: ServiceState | undefined;
  /** Of the rule, or of where it leads. */
  protected session: ClientSession | undefined;
  protected attempt: Attempt | undefined;
  /** The response is complete; of a tunnel, whose other direction is not. */
  protected upstreamEnded = false;
  #retry: RetryPolicy = DEFAULT_RETRY_POLICY;
  #tried: BalancedEndpoint[] | undefined;
  #budget: RetryBudget | undefined;
  #shared: SharedUse | undefined;
  #hash: number | undefined;
  /** The last try found its connection closed. */
  #wasStale = false;

  protected start(rule: RouteRule, target: ServiceState): void {
    this.#retry = rule.retry ?? DEFAULT_RETRY_POLICY;
    const { contentLength, upgrade } = this.request;
    if (contentLength !== 0) this.body ??= new RequestBody(this.#retry.attempts > 0 && upgrade === undefined);
    this.startDeadlines(rule.timeouts);
    this.#budget = target.budgetOf(rule);
    this.#budget.recordRequest();
    this.#try();
  }

  #try(): void {
    const { env } = this.downstream;
    const backend = this.backend;
    let target = this.target;
    if (backend === undefined || target === undefined) return;
    if (target.stale) this.target = target = env.services.get(target.name) ?? target;
    const upstream = target.upstream(backend.port, backend.subset);
    const tried = this.#retry.hostSelectionAttempts === 0 ? NONE_TRIED : (this.#tried ?? NONE_TRIED);
    const random = env.random();
    const session = this.#useSession(upstream);
    const endpoint = session?.find(upstream.picker.endpoints, tried) ?? this.#pick(upstream, random, tried);
    if (endpoint !== undefined) return this.#send(upstream, endpoint);
    const other = failOver(env.services, upstream, backend.port, random, tried);
    if (other === undefined) this.fail('no_endpoint');
    else this.#send(other.upstream, other.endpoint);
  }

  #pick(
    upstream: Upstream,
    random: number,
    tried: readonly BalancedEndpoint[],
  ): BalancedEndpoint | undefined {
    if (tried.length > 0 && this.#retry.remoteLocalities) return upstream.picker.pickElsewhere(random, tried);
    return upstream.picker.pick(random, tried, this.#hashBy(upstream));
  }

  #useSession(upstream: Upstream): ClientSession | undefined {
    const policy = this.rule?.session ?? upstream.policy.session;
    if (policy === undefined) return undefined;
    return (this.session ??= new ClientSession(policy, this.request, this.downstream.env.clock.now()));
  }

  #send(upstream: Upstream, endpoint: BalancedEndpoint): void {
    const { env, protocol } = this.downstream;
    const request = this.request;
    this.record.endpoint = endpoint;
    this.record.attempts++;
    const tryMs = this.rule?.timeouts.backendRequestMs ?? this.#retry.perTryTimeoutMs ?? 0;
    if (tryMs > 0) this.useDeadlines().startTry(tryMs);
    if (this.grpcDeadlineMs > 0) {
      const leftMs = this.grpcDeadlineMs - env.clock.monotonic();
      setHeader(request.headers, 'grpc-timeout', formatGrpcTimeout(leftMs));
    }
    this.record.trace?.onAttempt(request, endpoint);
    const { connection, limits } = upstream;
    const spoken = choosePoolProtocol(upstream, endpoint, protocol, request, this.record.grpc);
    const head = this.#headFor(spoken, tlsTowards(endpoint.workload, connection) !== undefined);
    const classes = this.rule?.responseClasses;
    const attempt = new Attempt(this, head, this.body === undefined, endpoint, this.#wasStale, classes);
    this.attempt = attempt;
    this.#shared = limits.shared;
    attempt.start(env.pools.get(endpoint, spoken, connection), limits, this.record.attempts > 1);
  }

  #headFor(spoken: PoolProtocol, secured: boolean): RequestHead {
    const { request } = this;
    if (request.method === 'CONNECT' && spoken === 'http1') return asHttp1Upgrade(request);
    return secured ? { ...request, scheme: 'https' } : request;
  }

  /** The same for all tries of a request. A client that has no cookie to be known by gets one. */
  #hashBy({ hash }: Upstream): number {
    if (hash.length === 0) return NO_HASH;
    if (this.#hash !== undefined) return this.#hash;
    const { env, sourceAddress } = this.downstream;
    const made = hashRequest(hash, this.request, sourceAddress, env.random());
    this.#hash = made.hash;
    if (made.newCookie !== undefined) {
      const cookie = { name: 'set-cookie', value: formatNewCookie(made.newCookie) };
      this.responseChanges = [...this.responseChanges, { set: [], add: [cookie], remove: [] }];
    }
    return made.hash;
  }

  onAttemptReady(attempt: Attempt): void {
    // What a client sends after asking for another protocol belongs to that protocol: it waits for the answer.
    if (this.request.upgrade === undefined) this.#attachBody(attempt);
  }

  #attachBody({ exchange }: Attempt): void {
    if (exchange === undefined || this.body === undefined) return;
    this.body.attach(exchange);
    this.exchange.resumeBody();
  }

  onAttemptInterim(head: ResponseHead): void {
    if (head.status === 100) this.exchange.sendContinue();
    else this.exchange.sendResponse(head, false);
  }

  onAttemptResponse(attempt: Attempt, head: ResponseHead, endStream: boolean): void {
    this.idle?.touch();
    this.record.trace?.onAttemptStatus(head.status);
    if (this.record.upstreamMs < 0)
      this.record.upstreamMs = this.downstream.env.clock.monotonic() - this.record.startMs;
    if (head.status >= 400 || this.record.grpc || this.#retry.statusCodes.includes(head.status)) {
      const grpcStatus = this.record.grpc && endStream ? getHeader(head.headers, 'grpc-status') : undefined;
      const numeric = grpcStatus === undefined ? undefined : Number(grpcStatus);
      if (this.#retryAfter({ kind: 'response', status: head.status, grpcStatus: numeric })) {
        attempt.cancel(new ExchangeError('cancelled', `answered ${head.status}, tried again`));
        return;
      }
      this.record.grpcStatus = grpcStatus ?? '';
    }
    this.#commit(head.status);
    if (this.backend !== undefined) this.session?.write(head.headers, this.backend, attempt.endpoint);
    if (this.responseChanges.length > 0) {
      for (const change of this.responseChanges) applyHeaderChange(change, head.headers);
    }
    if (head.status === 101) adaptSwitch(this.request, head);
    this.tapResponse(head);
    this.exchange.sendResponse(head, endStream);
    if (head.status === 101) this.#attachBody(attempt);
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
    if (this.record.status === 101 && this.body?.ended === false) {
      this.upstreamEnded = true;
      return;
    }
    // Answered before the request was sent: nobody is interested in the rest.
    if (this.body?.delivered === false) attempt.cancel(new ExchangeError('cancelled', 'answered early'));
    this.finish();
  }

  onAttemptFailed(attempt: Attempt, error: ExchangeError): void {
    this.record.trace?.onAttemptFailed(error.code, error.message);
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
    if (!this.#retryAfter(outcome)) this.fail(failureOf(error), error.message);
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
    if (this.#shared?.retriesFull === true) {
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
    const endpoint = this.record.endpoint;
    // Nothing is wrong with an endpoint whose idle connection had ended.
    if (endpoint !== undefined && !isFree) {
      this.#tried ??= [];
      this.#tried.push(endpoint);
    }
    // An endpoint that cannot be reached, or takes nothing more, says nothing of the others: the next one is asked at once.
    const delayMs =
      facts.retries === 0 && wasNotServed(outcome)
        ? 0
        : retryBackoffMs(this.#retry, facts.retries, this.downstream.env.random());
    if (delayMs < 1) this.#try();
    else this.useDeadlines().startRetry(delayMs);
    return true;
  }

  /** The response goes to the client: from here on there is no other try, and only the request's own timeout counts. */
  #commit(status: number): void {
    this.responseStarted = true;
    this.record.status = status;
    this.body?.commit();
    // A tunnel lives as long as its ends want.
    if (status === 101) this.deadlines?.end();
    else this.deadlines?.endTry();
  }

  onRetryDue(): void {
    this.#try();
  }

  onTryTimeout(): void {
    const attempt = this.attempt;
    const error = new ExchangeError('timeout', 'timeout of one try');
    this.cancelAttempt(error);
    const requestSent = attempt?.exchange !== undefined;
    if (!this.#retryAfter({ kind: 'error', code: 'timeout', requestSent, reusedConnection: false })) {
      this.fail('try_timeout');
    }
  }

  protected cancelAttempt(error: ExchangeError): void {
    if (this.attempt !== undefined) this.record.trace?.onAttemptFailed(error.code, error.message);
    this.attempt?.cancel(error);
    this.attempt = undefined;
  }
}
