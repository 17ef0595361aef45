import {
  type ClientExchange,
  ExchangeError,
  type RequestHead,
  type ResponseHead,
} from '#shared/http/exchange.ts';
import type { HeaderList } from '#shared/http/headers.ts';
import { opensTunnel } from '#shared/http/tunnel.ts';
import type { ResponseClass } from '#shared/route/condition.ts';
import type { BalancedEndpoint } from '../balance/endpoint.ts';
import type { Latency } from '../balance/latency.ts';
import type { PoolLimits, UpstreamAttempt, UpstreamPool } from '../upstream/attempt.ts';
import type { SharedUse } from '../upstream/shared-use.ts';
import { grpcStatusOf, localFailureOf, statusSoFar } from './judge.ts';

/** What an attempt tells its request. Nothing is told once the attempt is over. */
export interface AttemptOwner {
  onAttemptReady(attempt: Attempt): void;
  onAttemptInterim(head: ResponseHead): void;
  onAttemptResponse(attempt: Attempt, head: ResponseHead, endStream: boolean): void;
  onAttemptBody(slice: Buffer): boolean;
  onAttemptEnd(attempt: Attempt, trailers: HeaderList): void;
  onAttemptFailed(attempt: Attempt, error: ExchangeError): void;
  onAttemptWritable(): void;
}

const NO_CLASSES: readonly ResponseClass[] = [];

/** One try at one endpoint. Counts as a request in progress there from its start to its end. */
export class Attempt implements UpstreamAttempt {
  readonly head: RequestHead;
  readonly endStream: boolean;
  readonly fresh: boolean;
  readonly endpoint: BalancedEndpoint;
  waitingIn: object | undefined;
  waitingUnder: SharedUse | undefined;
  waitingSinceMs = 0;
  exchange: ClientExchange | undefined;
  reused = false;
  /** Among the tries of its request, from 1. */
  ordinal = 0;
  readonly #owner: AttemptOwner;
  /** Of the route. */
  readonly #classes: readonly ResponseClass[];
  /** Of its start: what is measured anew since then knows nothing of it. */
  readonly #latency: Latency | undefined;
  readonly #startMs: number;
  #pool: UpstreamPool | undefined;
  /** What it counts against, once it has been let in. */
  #use: SharedUse | undefined;
  #isRetry = false;
  #over = false;
  /** The end of its response is that of one direction. */
  #isTunnel = false;
  /** How the endpoint fared has been told. */
  #judged = false;

  constructor(
    owner: AttemptOwner,
    head: RequestHead,
    endStream: boolean,
    endpoint: BalancedEndpoint,
    fresh = false,
    classes: readonly ResponseClass[] = NO_CLASSES,
  ) {
    this.#owner = owner;
    this.head = head;
    this.endStream = endStream;
    this.endpoint = endpoint;
    this.fresh = fresh;
    this.#classes = classes;
    const { load } = endpoint;
    load.active++;
    load.health?.onStart();
    this.#latency = load.latency;
    this.#startMs = load.latency?.start() ?? 0;
  }

  /** Fails at once, as `overflow`, when the service has as many requests under way as it may have. */
  start(pool: UpstreamPool, limits: PoolLimits, isRetry = false): void {
    const { shared } = limits;
    if (shared.requestsFull) {
      this.onNoExchange(new ExchangeError('overflow', `${shared.requests} requests are under way already`));
      return;
    }
    this.#use = shared;
    this.#isRetry = isRetry;
    shared.begin(isRetry);
    this.#pool = pool;
    pool.start(this, limits);
  }

  /** Gives the try up. The owner hears nothing more of it. */
  cancel(reason: ExchangeError): void {
    this.#judgeFailure(reason);
    this.end();
    if (this.exchange === undefined) this.#pool?.cancel(this);
    else this.exchange.abort(reason);
  }

  /** Both directions of a tunnel have ended. Has no effect on what is over. */
  end(): void {
    if (!this.#over) this.#finish();
  }

  /** It takes longer than it should: that is what is told of its endpoint, however it ends. */
  judgeSlow(): void {
    this.#judgeFailure(new ExchangeError('timeout', 'timeout of one try'));
  }

  onExchange(exchange: ClientExchange, reused: boolean): void {
    if (this.#over) {
      exchange.abort(new ExchangeError('cancelled', 'given up while connecting'));
      return;
    }
    this.exchange = exchange;
    this.reused = reused;
    this.#owner.onAttemptReady(this);
  }

  onNoExchange(error: ExchangeError): void {
    this.onAbort(error);
  }

  onInformational(head: ResponseHead): void {
    if (!this.#over) this.#owner.onAttemptInterim(head);
  }

  onResponse(head: ResponseHead, endStream: boolean): void {
    if (this.#over) return;
    this.#isTunnel = opensTunnel(this.head, head.status);
    const latency = this.#latency;
    const { health, reported } = this.endpoint.load;
    reported?.observe(head.headers);
    const watched = health?.watchesStatus === true;
    if (watched || latency !== undefined) {
      const status = statusSoFar(head, endStream, this.#classes);
      latency?.observe(this.#startMs, status ?? head.status, head.headers);
      if (watched) this.#judge(status);
    }
    this.#owner.onAttemptResponse(this, head, endStream);
  }

  onBody(slice: Buffer): boolean {
    return this.#over || this.#owner.onAttemptBody(slice);
  }

  onBodyEnd(trailers: HeaderList): void {
    if (this.#over) return;
    const { health, reported } = this.endpoint.load;
    reported?.observe(trailers);
    this.#latency?.observeEnd(grpcStatusOf(trailers), trailers);
    if (!this.#judged && health?.watchesStatus === true) this.#judge(grpcStatusOf(trailers));
    if (!this.#isTunnel) this.#finish();
    this.#owner.onAttemptEnd(this, trailers);
  }

  onAbort(error: ExchangeError): void {
    if (this.#over) return;
    this.#judgeFailure(error);
    this.#finish();
    this.#owner.onAttemptFailed(this, error);
  }

  onWritable(): void {
    if (!this.#over) this.#owner.onAttemptWritable();
  }

  #finish(): void {
    this.#over = true;
    this.endpoint.load.active--;
    this.#use?.end(this.#isRetry);
  }

  /** `undefined`: not known yet. */
  #judge(status: number | undefined): void {
    if (status === undefined) return;
    this.#judged = true;
    this.endpoint.load.health?.onStatus(status);
  }

  #judgeFailure(error: ExchangeError): void {
    const { health } = this.endpoint.load;
    if (this.#judged || this.#over) return;
    this.#judged = true;
    const failure = localFailureOf(error, this.exchange !== undefined);
    if (failure === undefined) health?.onInconclusive();
    else {
      health?.onFailure(failure);
      this.#latency?.observeFailure(this.#startMs);
    }
  }
}
