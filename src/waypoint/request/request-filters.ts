import type { TokenIdentity } from '#shared/authz/token-identity.ts';
import type { RequestHead, ServerExchange } from '#shared/http/exchange.ts';
import type { HeaderList } from '#shared/http/headers.ts';
import { asksForTunnel } from '#shared/http/tunnel.ts';
import type { HeaderChange, Mirror } from '#shared/route/route-filter.ts';
import { applyCors, type CompiledCors } from '../filters/cors.ts';
import { strikes } from '../filters/fault.ts';
import type { FilterResponse } from '../filters/filter-response.ts';
import { type BodyAccess, type FilterContext, FilterRun, type FilterStep } from '../filters/filter-step.ts';
import { MirroredRequest } from '../filters/mirror.ts';
import type { Refusal } from '../filters/refusal.ts';
import type { Downstream } from './environment.ts';
import type { RequestBody } from './request-body.ts';

const NO_BODY = Buffer.alloc(0);

/** What the filters of one request have to do with each other. Made only for requests that have filters to pass. */
export class RequestFilters implements FilterContext, BodyAccess {
  readonly downstream: Downstream;
  readonly request: RequestHead;
  readonly grpc: boolean;
  readonly responseChanges: HeaderChange[] = [];
  token: TokenIdentity | undefined;
  delayed = false;
  readonly #exchange: ServerExchange;
  readonly #requestBody: RequestBody | undefined;
  #run: FilterRun | undefined;
  #corsChange: HeaderChange | undefined;
  #mirrors: readonly MirroredRequest[] = [];

  /** @param body undefined: the request has none */
  constructor(
    downstream: Downstream,
    exchange: ServerExchange,
    grpc: boolean,
    body: RequestBody | undefined,
  ) {
    this.downstream = downstream;
    this.request = exchange.request;
    this.grpc = grpc;
    this.#exchange = exchange;
    this.#requestBody = body;
  }

  get body(): BodyAccess {
    return this;
  }

  /** Calls back once, perhaps before it returns: with the refusal of the first filter that refuses, or without. */
  run(steps: readonly FilterStep[], onEnd: (refusal: Refusal | undefined) => void): void {
    this.#run = new FilterRun(steps, this, onEnd);
    this.#run.start();
  }

  /** @returns the answer to a preflight; other requests get their headers with the response */
  applyCors(cors: CompiledCors): FilterResponse | undefined {
    const outcome = applyCors(cors, this.request);
    this.#takeBackCors();
    if (outcome.kind === 'answer') return outcome.response;
    if (outcome.kind === 'change_response') this.responseChanges.push((this.#corsChange = outcome.change));
    return undefined;
  }

  /** A request was found to follow another rule after all. */
  #takeBackCors(): void {
    const change = this.#corsChange;
    if (change !== undefined) this.responseChanges.splice(this.responseChanges.indexOf(change), 1);
    this.#corsChange = undefined;
  }

  hold(maxBytes: number, onHeld: (body: Buffer, complete: boolean) => void): void {
    if (this.#requestBody === undefined) return onHeld(NO_BODY, true);
    this.#requestBody.hold(maxBytes, onHeld);
    // A client that waits for word would wait for ours; one that was paused at a lower bound may go on.
    if (this.request.expectContinue) this.#exchange.sendContinue();
    this.#exchange.resumeBody();
  }

  /** Sends copies of the request as it now is. A tunnel has no copy. */
  mirror(mirrors: readonly Mirror[]): void {
    if (asksForTunnel(this.request)) return;
    const { random } = this.downstream.env;
    const body = this.#requestBody;
    const struck = mirrors.filter(({ percent }) => strikes(percent, random));
    this.#mirrors = struck.map(mirror => {
      const copy = new MirroredRequest(this.downstream, mirror, this.request, body !== undefined);
      if (body !== undefined && body.bytes > 0) copy.onBody(body.held());
      if (body?.trailers !== undefined) copy.onBodyEnd(body.trailers);
      return copy;
    });
  }

  onBody(slice: Buffer): void {
    for (const mirror of this.#mirrors) mirror.onBody(slice);
  }

  onBodyEnd(trailers: HeaderList): void {
    for (const mirror of this.#mirrors) mirror.onBodyEnd(trailers);
  }

  /** The request is over. Idempotent. */
  end(): void {
    this.#run?.cancel();
    for (const mirror of this.#mirrors) mirror.cancel();
  }
}
