import { ExchangeError } from '#shared/http/exchange.ts';
import type { PoolLimits, UpstreamAttempt } from './attempt.ts';

/** Attempts that wait for a connection, first come first served; those given up meanwhile are passed over. */
export class WaitingAttempts {
  #queue: UpstreamAttempt[] = [];
  #head = 0;
  #live = 0;

  get size(): number {
    return this.#live;
  }

  /** @returns false when there are too many already: the attempt has been told then. */
  add(attempt: UpstreamAttempt, limits: PoolLimits): boolean {
    if (this.#live >= limits.maxPendingRequests) {
      attempt.onNoExchange(
        new ExchangeError('overflow', `${this.#live} requests wait for a connection already`),
      );
      return false;
    }
    attempt.waitingIn = this;
    this.#queue.push(attempt);
    this.#live++;
    return true;
  }

  remove(attempt: UpstreamAttempt): void {
    if (attempt.waitingIn !== this) return;
    attempt.waitingIn = undefined;
    this.#live--;
    if (this.#live === 0) this.#clear();
  }

  next(): UpstreamAttempt | undefined {
    while (this.#head < this.#queue.length) {
      const attempt = this.#queue[this.#head++];
      if (attempt?.waitingIn !== this) continue;
      this.remove(attempt);
      return attempt;
    }
    this.#clear();
    return undefined;
  }

  /** Tells all of them. */
  failAll(error: ExchangeError): void {
    for (let attempt = this.next(); attempt !== undefined; attempt = this.next()) attempt.onNoExchange(error);
  }

  #clear(): void {
    this.#queue = [];
    this.#head = 0;
  }
}
