import {
  type ClientExchange,
  ExchangeError,
  type RequestHead,
  type ResponseHead,
} from '#shared/http/exchange.ts';
import type { HeaderList } from '#shared/http/headers.ts';
import type { BalancedEndpoint } from '../balance/endpoint.ts';
import type { UpstreamAttempt, UpstreamPool } from '../upstream/attempt.ts';

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

/** One try at one endpoint. Counts as a request in progress there from its start to its end. */
export class Attempt implements UpstreamAttempt {
  readonly head: RequestHead;
  readonly endStream: boolean;
  readonly endpoint: BalancedEndpoint;
  waitingIn: object | undefined;
  exchange: ClientExchange | undefined;
  reused = false;
  readonly #owner: AttemptOwner;
  #pool: UpstreamPool | undefined;
  #over = false;

  constructor(owner: AttemptOwner, head: RequestHead, endStream: boolean, endpoint: BalancedEndpoint) {
    this.#owner = owner;
    this.head = head;
    this.endStream = endStream;
    this.endpoint = endpoint;
    endpoint.load.active++;
  }

  start(pool: UpstreamPool, limits: Parameters<UpstreamPool['start']>[1]): void {
    this.#pool = pool;
    pool.start(this, limits);
  }

  /** Gives the try up. The owner hears nothing more of it. */
  cancel(reason: ExchangeError): void {
    // Of a tunnel one direction may be over and the other not.
    if (!this.#over) this.#finish();
    if (this.exchange === undefined) this.#pool?.cancel(this);
    else this.exchange.abort(reason);
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
    if (!this.#over) this.#owner.onAttemptResponse(this, head, endStream);
  }

  onBody(slice: Buffer): boolean {
    return this.#over || this.#owner.onAttemptBody(slice);
  }

  onBodyEnd(trailers: HeaderList): void {
    if (this.#over) return;
    this.#finish();
    this.#owner.onAttemptEnd(this, trailers);
  }

  onAbort(error: ExchangeError): void {
    if (this.#over) return;
    this.#finish();
    this.#owner.onAttemptFailed(this, error);
  }

  onWritable(): void {
    if (!this.#over) this.#owner.onAttemptWritable();
  }

  #finish(): void {
    this.#over = true;
    this.endpoint.load.active--;
  }
}
