import type { CoarseTimers, Timed } from '#shared/lifecycle/coarse-timers.ts';

export interface DeadlineOwner {
  onRequestTimeout(): void;
  onTryTimeout(): void;
  onRetryDue(): void;
}

const NEVER = Number.POSITIVE_INFINITY;

/** The times one request waits for: its own end, the end of a try, the start of the next. Most requests have none. */
export class RequestDeadlines implements Timed {
  deadlineAt = NEVER;
  timedIndex = -1;
  readonly #timers: CoarseTimers;
  readonly #owner: DeadlineOwner;
  #request = NEVER;
  #try = NEVER;
  #retry = NEVER;

  constructor(timers: CoarseTimers, owner: DeadlineOwner) {
    this.#timers = timers;
    this.#owner = owner;
    timers.add(this);
  }

  startRequest(timeoutMs: number): void {
    this.#request = this.#timers.after(timeoutMs);
    this.#arm();
  }

  /** Whichever of the two ends first is the request's. */
  startResponse(timeoutMs: number): void {
    this.#request = Math.min(this.#request, this.#timers.after(timeoutMs));
    this.#arm();
  }

  startTry(timeoutMs: number): void {
    this.#try = this.#timers.after(timeoutMs);
    this.#arm();
  }

  startRetry(delayMs: number): void {
    this.#retry = this.#timers.after(delayMs);
    this.#arm();
  }

  /** It ends at some time, whatever becomes of its tries. */
  get bounded(): boolean {
    return this.#request !== NEVER;
  }

  endRetry(): void {
    this.#retry = NEVER;
    this.#arm();
  }

  endTry(): void {
    this.#try = NEVER;
    this.#arm();
  }

  /** Idempotent; the owner hears nothing more. */
  end(): void {
    this.#timers.remove(this);
  }

  onDeadline(): void {
    const { now } = this.#timers;
    if (now >= this.#request) this.#owner.onRequestTimeout();
    else if (now >= this.#try) {
      this.endTry();
      this.#owner.onTryTimeout();
    } else if (now >= this.#retry) {
      this.endRetry();
      this.#owner.onRetryDue();
    } else this.#arm();
  }

  #arm(): void {
    this.deadlineAt = Math.min(this.#request, this.#try, this.#retry);
  }
}
