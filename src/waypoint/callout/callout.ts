import { ExchangeError, type RequestHead, type ResponseHead } from '#shared/http/exchange.ts';
import type { HeaderList } from '#shared/http/headers.ts';
import type { Timed } from '#shared/lifecycle/coarse-timers.ts';
import type { BalancedEndpoint } from '../balance/endpoint.ts';
import { Attempt, type AttemptOwner } from '../request/attempt.ts';
import type { RequestEnvironment } from '../request/environment.ts';
import { choosePoolProtocol } from '../upstream/choose-protocol.ts';
import type { UpstreamProtocol } from '../upstream/endpoint-pools.ts';

/** A request of the waypoint's own, to a service that is asked about a client's request. */
export interface CalloutRequest {
  /** `<namespace>/<hostname>`. */
  readonly service: string;
  readonly port: number;
  /** Spoken where the port declares nothing else. */
  readonly protocol: UpstreamProtocol;
  readonly head: RequestHead;
  /** Sent whole; undefined: the head ends the request. */
  readonly body: Buffer | undefined;
  readonly timeoutMs: number;
  /** A longer body fails the callout. */
  readonly maxResponseBytes: number;
}

export type CalloutOutcome =
  | {
      readonly ok: true;
      readonly status: number;
      readonly headers: HeaderList;
      readonly body: Buffer;
      readonly trailers: HeaderList;
    }
  | { readonly ok: false; readonly reason: string };

export type CalloutEnvironment = Pick<RequestEnvironment, 'services' | 'pools' | 'timers' | 'random'>;

/** The first try, and one more where the first certainly came to nothing. */
const MAX_TRIES = 2;

/**
 * Asks a service of the mesh over the connections that requests use too, and waits for the whole answer within a deadline
 * and a bound. Exactly one outcome is told, perhaps before `start` returns; none after `cancel`.
 */
export class Callout implements AttemptOwner, Timed {
  deadlineAt = Number.POSITIVE_INFINITY;
  timedIndex = -1;
  readonly #env: CalloutEnvironment;
  readonly #request: CalloutRequest;
  readonly #onOutcome: (outcome: CalloutOutcome) => void;
  readonly #tried: BalancedEndpoint[] = [];
  readonly #body: Buffer[] = [];
  #bodyBytes = 0;
  #head: ResponseHead | undefined;
  #attempt: Attempt | undefined;
  #over = false;

  constructor(
    env: CalloutEnvironment,
    request: CalloutRequest,
    onOutcome: (outcome: CalloutOutcome) => void,
  ) {
    this.#env = env;
    this.#request = request;
    this.#onOutcome = onOutcome;
  }

  start(): void {
    const { timers } = this.#env;
    timers.add(this);
    this.deadlineAt = timers.after(this.#request.timeoutMs);
    this.#try();
  }

  /** Idempotent. */
  cancel(): void {
    this.#end();
  }

  #try(): void {
    const { service: name, port, protocol, head } = this.#request;
    const { pools, random, services } = this.#env;
    const service = services.get(name);
    if (service === undefined) return this.#fail(`service ${name} is not known`);
    const target = service.upstream(port, undefined);
    const { connection, limits, picker } = target;
    const endpoint = picker.pick(random(), this.#tried);
    if (endpoint === undefined) return this.#fail(`service ${name} has no healthy endpoint on port ${port}`);
    this.#tried.push(endpoint);
    const upstream =
      protocol === 'http2' ? protocol : choosePoolProtocol(target, endpoint, protocol, head, false);
    const attempt = new Attempt(this, head, this.#request.body === undefined, endpoint);
    this.#attempt = attempt;
    attempt.start(pools.get(endpoint, upstream, connection, undefined), limits);
  }

  onAttemptReady({ exchange }: Attempt): void {
    const { body } = this.#request;
    if (exchange === undefined || body === undefined) return;
    exchange.sendBody(body);
    exchange.endBody();
  }

  onAttemptInterim(): void {}

  onAttemptResponse(_attempt: Attempt, head: ResponseHead): void {
    this.#head = head;
  }

  onAttemptBody(slice: Buffer): boolean {
    this.#bodyBytes += slice.length;
    if (this.#bodyBytes <= this.#request.maxResponseBytes) this.#body.push(Buffer.from(slice));
    else this.#fail(`the answer is longer than ${this.#request.maxResponseBytes} bytes`);
    return true;
  }

  onAttemptEnd(_attempt: Attempt, trailers: HeaderList): void {
    this.#attempt = undefined;
    const head = this.#head;
    if (head === undefined) return this.#fail('no response');
    const { headers, status } = head;
    this.#tell({ ok: true, status, headers, body: Buffer.concat(this.#body), trailers });
  }

  onAttemptFailed(attempt: Attempt, error: ExchangeError): void {
    this.#attempt = undefined;
    if (this.#head === undefined && this.#tried.length < MAX_TRIES && isHarmless(attempt, error))
      return this.#try();
    this.#fail(error.message);
  }

  onAttemptWritable(): void {}

  onDeadline(): void {
    this.#fail(`no answer within ${this.#request.timeoutMs} ms`);
  }

  #fail(reason: string): void {
    this.#tell({ ok: false, reason });
  }

  #tell(outcome: CalloutOutcome): void {
    if (this.#over) return;
    this.#end();
    this.#onOutcome(outcome);
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#env.timers.remove(this);
    this.#attempt?.cancel(new ExchangeError('cancelled', 'the callout is over'));
  }
}

/** The service has not seen the request, or a connection was closed just as it was used again. */
function isHarmless({ reused }: Attempt, { code }: ExchangeError): boolean {
  if (code === 'connect_failure' || code === 'refused_before_sending') return true;
  return reused && (code === 'connection_closed' || code === 'reset');
}
