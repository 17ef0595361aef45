import { ExchangeError, type ServerExchange, type ServerExchangeSink } from '#shared/http/exchange.ts';
import type { HeaderList } from '#shared/http/headers.ts';
import { asksForTunnel } from '#shared/http/tunnel.ts';
import { RESPONSE_FLAGS } from '#shared/observability/response-flags.ts';
import { evaluate } from '#shared/authz/evaluate.ts';
import type { RouteFound } from '#shared/route/compiled-match.ts';
import type { RouteRule } from '#shared/route/model.ts';
import { ClientSession } from '../balance/session.ts';
import type { FilterStep } from '../filters/filter-step.ts';
import { type JudgedRequest, judgedRequest } from '../filters/judged-request.ts';
import type { RuleFilters } from '../filters/rule-filters.ts';
import { ensureTraceparent } from '../tracing/write-context.ts';
import { askedHost, namedHost, notItsHost } from '../hosts/asked-host.ts';
import type { ServiceState } from '../services/service-state.ts';
import type { TapSubject } from '../tap/thread-taps.ts';
import { authorize, checkRequest, decideForward, findRoute, ruleFor } from './decide.ts';
import type { Downstream } from './environment.ts';
import type { OpenTunnel } from './open-tunnels.ts';
import { RequestBody } from './request-body.ts';
import { RequestFilters } from './request-filters.ts';
import { TriedRequest } from './tried-request.ts';

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
 * functions; this class and the layers below it act on them and keep what they need.
 */
class RequestFlow extends TriedRequest implements ServerExchangeSink, OpenTunnel {
  /** What policies have allowed, as it was then: kept of what may become a tunnel. */
  #judged: JudgedRequest | undefined;
  #filters: RequestFilters | undefined;
  /** Ends a wait for the endpoints of a host. */
  #leaveHost: (() => void) | undefined;

  begin(): void {
    const { env, service } = this.downstream;
    const overloaded = env.overload.refusal(env.inFlight.count);
    if (!env.taps.idle) this.record.tapped = env.taps.begin(tapSubject(this.downstream), this.request);
    this.record.trace = env.tracer?.begin(this.request, this.downstream.service.routes?.telemetry);
    if (overloaded !== undefined) return this.fail('overloaded', overloaded);
    const failure = checkRequest(this.request, service);
    if (failure !== undefined) return this.fail(failure);
    const found = findRoute(this.downstream, this.request);
    if (found !== undefined && this.#answerPreflight(found.rule)) return;
    if (!service.guarded) return this.#authorize(found);
    ensureTraceparent(this.request.headers, env.random);
    // What a verified token or an authorizer puts into the request may lead it elsewhere.
    this.#pass(env.filters.guardOf(service), () => this.#authorize(findRoute(this.downstream, this.request)));
  }

  /** Browsers send preflights without credentials: they are answered before anybody asks for some. */
  #answerPreflight(rule: RouteRule): boolean {
    if (rule.filters.length === 0) return false;
    const { cors } = this.downstream.env.filters.ofRule(this.downstream.service.name, rule);
    const response = cors && this.#useFilters().applyCors(cors);
    if (response === undefined) return false;
    this.record.route = rule.name;
    this.answer(response);
    return true;
  }

  #authorize(found: RouteFound | undefined): void {
    const judged = judgedRequest(this.request);
    const decision = authorize(this.downstream, judged, this.#filters?.token);
    if (!decision.allowed) return this.fail('denied', decision.reason);
    if (this.downstream.service.isWildcard && this.#isForeign()) return;
    const rule = ruleFor(this.downstream, this.request, found);
    if (typeof rule === 'string') return this.fail(rule);
    this.rule = rule;
    if (asksForTunnel(this.request)) this.#watchPolicies(judged);
    if (rule.responseClasses.length > 0) this.record.classified = rule;
    this.record.route = rule.name;
    ensureTraceparent(this.request.headers, this.downstream.env.random);
    if (rule.filters.length === 0) this.#forward(rule, NO_FILTERS, found?.match);
    else this.#applyFilters(rule, found?.match);
  }

  #applyFilters(rule: RouteRule, match: RouteFound['match']): void {
    const { env, service } = this.downstream;
    const filters = env.filters.ofRule(service.name, rule);
    if (filters.cors !== undefined) this.#useFilters().applyCors(filters.cors);
    if (filters.steps.length === 0) this.#forward(rule, filters, match);
    else this.#pass(filters.steps, () => this.#forward(rule, filters, match));
  }

  /** Goes on once all steps have passed the request; the first that refuses ends it. */
  #pass(steps: readonly FilterStep[], goOn: () => void): void {
    this.watchStreamIdle();
    this.#useFilters().run(steps, refusal => {
      if (refusal === undefined) goOn();
      else this.refuse(refusal);
    });
  }

  #useFilters(): RequestFilters {
    if (this.#filters !== undefined) return this.#filters;
    this.#holdBody();
    const filters = new RequestFilters(this.downstream, this.exchange, this.record.grpc, this.body);
    // Whoever answers before the request is forwarded, its changes hold.
    if (this.target === undefined) this.responseChanges = filters.responseChanges;
    return (this.#filters = filters);
  }

  /** What comes of it while there is no try. */
  #holdBody(): void {
    if (this.request.contentLength === 0) return;
    this.body ??= new RequestBody(asksForTunnel(this.request) ? 'tunnel' : 'replayed');
  }

  #forward(rule: RouteRule, { changes, mirrors }: AppliedFilters, match: RouteFound['match']): void {
    // Before the rule's changes: it is the client's.
    const { clock } = this.downstream.env;
    if (rule.session !== undefined) this.session = new ClientSession(rule.session, this.request, clock.now());
    const decision = decideForward(this.downstream, this.request, rule, changes, match, this.session);
    if (decision.kind === 'fail') return this.fail(decision.failure, decision.detail);
    const { responseChanges } = decision;
    const before = this.responseChanges;
    this.responseChanges = before.length === 0 ? responseChanges : [...before, ...responseChanges];
    if (decision.kind === 'answer') return this.answer(decision.response);
    this.backend = decision.backend;
    this.target = decision.target;
    this.record.service = decision.target.service;
    if (mirrors.length + decision.mirrors.length > 0)
      this.#useFilters().mirror([...mirrors, ...decision.mirrors]);
    if (decision.target.endpointsBy === 'list') this.start(rule, decision.target);
    else this.#findHost(rule, decision.target);
  }

  /** Whoever reaches the addresses of a wildcard may name anybody. */
  #isForeign(): boolean {
    const { service } = this.downstream;
    const name = namedHost(this.downstream, this.request.authority);
    if (service.covers(name)) return false;
    this.fail('no_route', notItsHost(service.name, name));
    return true;
  }

  /** The target lists no endpoints: goes on once those of the host that the request names by now are there. */
  #findHost(rule: RouteRule, target: ServiceState): void {
    const { hosts } = this.downstream.env;
    const asked = askedHost(target, this.downstream, this.request.authority);
    if (!asked.ok) return this.fail(asked.failure, asked.reason);
    const { host } = asked;
    this.host = host;
    if (target.knowsHost(host)) {
      hosts.use(target.name, host);
      return this.start(rule, target);
    }
    this.watchStreamIdle();
    this.#holdBody();
    this.#leaveHost = hosts.wait(target.name, host, failure => {
      this.#leaveHost = undefined;
      if (failure === undefined) this.start(rule, target);
      else this.fail('unresolved_host', failure);
    });
  }

  /** From now on, so that no change passes between this decision and an open tunnel. */
  #watchPolicies(judged: JudgedRequest): void {
    this.#judged = { ...judged, headers: [...judged.headers] };
    this.downstream.env.tunnels.add(this);
  }

  get askedService(): string {
    return this.downstream.service.name;
  }

  recheck(): boolean {
    const { authz, service } = this.downstream;
    if (this.#judged === undefined) return false;
    const { allowed, reason } = evaluate(service.policies, authz, this.#judged, this.#filters?.token);
    if (!allowed) this.breakOff('denied', 'cancelled', reason);
    return !allowed;
  }

  onBody(slice: Buffer): boolean {
    this.idle?.touch();
    this.record.requestMessages?.onBody(slice);
    if (this.done || this.body === undefined) return true;
    this.#filters?.onBody(slice);
    return this.body.append(slice);
  }

  onBodyEnd(trailers: HeaderList): void {
    if (this.done) return;
    this.#filters?.onBodyEnd(trailers);
    this.body?.end(trailers);
    if (this.upstreamEnded) this.finish();
    else if (!asksForTunnel(this.request)) this.awaitResponse();
  }

  onWritable(): void {
    this.idle?.touch();
    this.attempt?.exchange?.resumeBody();
  }

  /** The client is gone, or broke the protocol; it has been answered as far as it can be. */
  onAbort(error: ExchangeError): void {
    if (this.done) return;
    const malformed = error.code === 'protocol_error' || error.code === 'body_too_large';
    this.record.flags = malformed ? 'DPE' : error.code === 'timeout' ? 'SI' : 'DC';
    this.record.detail = error.message;
    this.cancelAttempt(new ExchangeError('cancelled', error.message));
    this.finish();
  }

  protected override release(): void {
    super.release();
    this.#leaveHost?.();
    if (this.#judged !== undefined) this.downstream.env.tunnels.delete(this);
    const filters = this.#filters;
    if (filters === undefined) return;
    filters.end();
    const { flags } = this.record;
    const delayed = RESPONSE_FLAGS.faultDelay;
    if (filters.delayed) this.record.flags = flags === '-' ? delayed : `${delayed},${flags}`;
  }
}

function tapSubject({ peers, service, sourceAddress }: Downstream): TapSubject {
  return { peers, service: service.service, sourceAddress };
}
