import type { ExchangeError } from '#shared/http/exchange.ts';
import type { RequestTrace } from '../tracing/request-trace.ts';
import type { Attempt } from './attempt.ts';
import type { RequestBody } from './request-body.ts';

interface SlowTry {
  readonly attempt: Attempt;
  /** What it sends; undefined: the request has none. */
  readonly body: RequestBody | undefined;
}

/** Tries of one request whose time is over and that go on beside the newest one: any of them may still be the first to answer. */
export class SlowTries {
  #tries: SlowTry[] = [];

  get count(): number {
    return this.#tries.length;
  }

  add(attempt: Attempt, body: RequestBody | undefined): void {
    this.#tries.push({ attempt, body });
  }

  bodyOf(attempt: Attempt): RequestBody | undefined {
    return this.#tries.find(one => one.attempt === attempt)?.body;
  }

  /** It is no longer one of them. @returns its body */
  take(attempt: Attempt): RequestBody | undefined {
    const body = this.bodyOf(attempt);
    this.#tries = this.#tries.filter(one => one.attempt !== attempt);
    return body;
  }

  cancel(reason: ExchangeError, trace: RequestTrace | undefined): void {
    for (const { attempt } of this.#tries.splice(0)) {
      trace?.onAttemptFailed(attempt.ordinal, reason.code, reason.message);
      attempt.cancel(reason);
    }
  }
}
