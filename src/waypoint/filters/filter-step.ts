import type { TokenIdentity } from '#shared/authz/token-identity.ts';
import type { RequestHead } from '#shared/http/exchange.ts';
import type { HeaderChange } from '#shared/route/route-filter.ts';
import type { Downstream } from '../request/environment.ts';
import type { Refusal } from './refusal.ts';

/** What the filters of one request see of it, and leave behind for those after them. */
export interface FilterContext {
  readonly downstream: Downstream;
  /** Changed in place. */
  readonly request: RequestHead;
  readonly grpc: boolean;
  readonly body: BodyAccess;
  /** To be made to the response, in this order, whoever gives it. */
  readonly responseChanges: HeaderChange[];
  /** Of a verified token. */
  token: TokenIdentity | undefined;
  /** A fault has delayed the request (response flag `DI`). */
  delayed: boolean;
}

/** The body of a request that has no upstream yet. */
export interface BodyAccess {
  /**
   * Calls back once the whole body is there or more than `maxBytes` of it, perhaps at once. What has come stays and goes to
   * the upstream as well. @param onHeld `body` holds until the end of the call
   */
  hold(maxBytes: number, onHeld: (body: Buffer, complete: boolean) => void): void;
}

/** Takes back what a step has begun; nothing is told after it. */
export type CancelStep = () => void;

/**
 * One filter. Calls `done` once, perhaps before it returns: with a refusal, which ends the request, or without.
 * @returns how to give it up, where there is something to give up
 */
export type FilterStep = (
  context: FilterContext,
  done: (refusal: Refusal | undefined) => void,
) => CancelStep | undefined;

/** Runs filters one after the other until one refuses. Steps that answer at once cost no turn of the loop. */
export class FilterRun {
  readonly #steps: readonly FilterStep[];
  readonly #context: FilterContext;
  readonly #onEnd: (refusal: Refusal | undefined) => void;
  #next = 0;
  #cancel: CancelStep | undefined;
  #over = false;

  constructor(
    steps: readonly FilterStep[],
    context: FilterContext,
    onEnd: (refusal: Refusal | undefined) => void,
  ) {
    this.#steps = steps;
    this.#context = context;
    this.#onEnd = onEnd;
  }

  /** To be called once. */
  start(): void {
    this.#advance();
  }

  /** The request has ended otherwise. Idempotent. */
  cancel(): void {
    this.#over = true;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #advance(): void {
    while (!this.#over) {
      const step = this.#steps[this.#next++];
      if (step === undefined) return this.#end(undefined);
      if (!this.#run(step)) return;
    }
  }

  /** @returns whether the step has passed the request already */
  #run(step: FilterStep): boolean {
    let within = true;
    let passed = false;
    this.#cancel = undefined;
    const cancel = step(this.#context, refusal => {
      if (this.#over) return;
      this.#cancel = undefined;
      if (refusal !== undefined) this.#end(refusal);
      else if (within) passed = true;
      else this.#advance();
    });
    within = false;
    if (!passed && !this.#over) this.#cancel = cancel;
    return passed;
  }

  #end(refusal: Refusal | undefined): void {
    this.#over = true;
    this.#onEnd(refusal);
  }
}
