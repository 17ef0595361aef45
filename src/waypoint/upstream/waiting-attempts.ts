import { ExchangeError } from '#shared/http/exchange.ts';
import type { CoarseTimers, Timed } from '#shared/lifecycle/coarse-timers.ts';
import type { PoolLimits, UpstreamAttempt } from './attempt.ts';

/**
 * Attempts that wait for a connection, first come first served; those given up meanwhile are passed over. Nobody waits longer
 * than the queue's timeout. Once somebody has, the queue fails fast: who comes is told at once, until a connection is there.
 */
export class WaitingAttempts implements Timed {
  deadlineAt = Number.POSITIVE_INFINITY;
  timedIndex = -1;
  readonly #timers: CoarseTimers;
  readonly #timeoutMs: number;
  readonly #whyNot: () => ExchangeError;
  #queue: UpstreamAttempt[] = [];
  #head = 0;
  #live = 0;
  #failsFast = false;

  /** @param whyNot what those who have waited too long are told */
  constructor(timers: CoarseTimers, timeoutMs: number, whyNot: () => ExchangeError) {
    this.#timers = timers;
    this.#timeoutMs = timeoutMs;
    this.#whyNot = whyNot;
  }

  get size(): number {
    return this.#live;
  }

  get failsFast(): boolean {
    return this.#failsFast;
  }

  /** @returns false when there are too many already, or there is nothing to hope for: the attempt has been told then. */
  add(attempt: UpstreamAttempt, limits: PoolLimits): boolean {
    if (this.#failsFast) {
      attempt.onNoExchange(this.#whyNot());
      return false;
    }
    const { shared } = limits;
    if (this.#live >= limits.maxPendingRequests || shared.pendingFull) {
      const waiting = Math.max(this.#live, shared.pending);
      attempt.onNoExchange(
        new ExchangeError('overflow', `${waiting} requests wait for a connection already`),
      );
      return false;
    }
    this.#timers.add(this);
    if (this.#live === 0) this.deadlineAt = this.#timers.after(this.#timeoutMs);
    attempt.waitingIn = this;
    attempt.waitingUnder = shared;
    attempt.waitingSinceMs = this.#timers.after(0);
    shared.pending++;
    this.#queue.push(attempt);
    this.#live++;
    return true;
  }

  remove(attempt: UpstreamAttempt): void {
    if (attempt.waitingIn !== this) return;
    attempt.waitingIn = undefined;
    if (attempt.waitingUnder !== undefined) attempt.waitingUnder.pending--;
    attempt.waitingUnder = undefined;
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

  /** A connection is there, or has become free. */
  recover(): void {
    this.#failsFast = false;
  }

  /** Tells all of them. */
  failAll(error: ExchangeError): void {
    for (let attempt = this.next(); attempt !== undefined; attempt = this.next()) attempt.onNoExchange(error);
  }

  /** The first has waited too long, and with it those who came in the same moment. */
  onDeadline(): void {
    const { now } = this.#timers;
    this.#failsFast = true;
    const error = this.#whyNot();
    for (let { first } = this; first !== undefined; first = this.first) {
      if (first.waitingSinceMs + this.#timeoutMs > now) {
        this.deadlineAt = first.waitingSinceMs + this.#timeoutMs;
        return;
      }
      this.next()?.onNoExchange(error);
    }
  }

  /** Who is next. */
  get first(): UpstreamAttempt | undefined {
    while (this.#head < this.#queue.length) {
      const attempt = this.#queue[this.#head];
      if (attempt?.waitingIn === this) return attempt;
      this.#head++;
    }
    return undefined;
  }

  #clear(): void {
    this.#queue = [];
    this.#head = 0;
    this.deadlineAt = Number.POSITIVE_INFINITY;
    this.#timers.remove(this);
  }
}
