import type { CoarseTimers, Timed } from '#shared/lifecycle/coarse-timers.ts';

export interface IdleOwner {
  /** @param reason with the timeout, by its name */
  onIdle(reason: string): void;
}

/**
 * Ends a request on which nothing has moved either way for `timeoutMs`. For HTTP/2, where a silent stream holds nothing up
 * but itself and would be held for ever; an HTTP/1.1 connection looks after its own silence.
 */
export class StreamIdle implements Timed {
  deadlineAt: number;
  timedIndex = -1;
  readonly #timers: CoarseTimers;
  readonly #timeoutMs: number;
  readonly #owner: IdleOwner;
  readonly #name: string;
  #movedAt: number;

  constructor(timers: CoarseTimers, timeoutMs: number, name: string, owner: IdleOwner) {
    this.#timers = timers;
    this.#timeoutMs = timeoutMs;
    this.#name = name;
    this.#owner = owner;
    timers.add(this);
    this.#movedAt = timers.now;
    this.deadlineAt = timers.after(timeoutMs);
  }

  /** Something moved. Costs a number: the deadline is looked at again only when it has passed. */
  touch(): void {
    this.#movedAt = this.#timers.now;
  }

  end(): void {
    this.#timers.remove(this);
  }

  onDeadline(): void {
    const left = this.#movedAt + this.#timeoutMs - this.#timers.now;
    if (left <= 0) this.#owner.onIdle(`nothing moved for ${this.#timeoutMs} ms (${this.#name})`);
    else this.deadlineAt = this.#timers.after(left);
  }
}
