import type { Clock, Timer } from './clock.ts';

/**
 * Something with at most one deadline at a time. Moving the deadline is writing a number: a connection that gets a new
 * deadline with each request costs no timer.
 */
export interface Timed {
  /** In the time of `CoarseTimers.now`; Infinity is none. */
  deadlineAt: number;
  /** Owned by `CoarseTimers`; -1 while not added. */
  timedIndex: number;
  /** Called once a passed deadline is seen; `deadlineAt` is Infinity by then. */
  onDeadline(): void;
}

/**
 * One shared timer for many deadlines, all looked at every tick. A deadline fires at its time or up to two ticks later,
 * never earlier. The timer runs while something is added and ends with its next tick after: requests that come one behind the other
 * need it anew once a tick, not each of them.
 */
export class CoarseTimers {
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #entries: Timed[] = [];
  #timer: Timer | undefined;
  #now = 0;

  constructor(clock: Clock, tickMs: number) {
    this.#clock = clock;
    this.#tickMs = tickMs;
  }

  get clock(): Clock {
    return this.#clock;
  }

  /** Monotonic time of the last tick, in ms. */
  get now(): number {
    return this.#now;
  }

  /** The deadline `delayMs` from now, to be asked for while something is added (the time stands still otherwise). Cheap: no clock is read. */
  after(delayMs: number): number {
    return this.#now + this.#tickMs + delayMs;
  }

  add(entry: Timed): void {
    if (entry.timedIndex >= 0) return;
    entry.timedIndex = this.#entries.length;
    this.#entries.push(entry);
    if (this.#timer === undefined) this.#start();
  }

  remove(entry: Timed): void {
    const index = entry.timedIndex;
    if (index < 0) return;
    entry.timedIndex = -1;
    const last = this.#entries.pop();
    if (last !== undefined && last !== entry) {
      this.#entries[index] = last;
      last.timedIndex = index;
    }
  }

  #start(): void {
    this.#now = this.#clock.monotonic();
    this.#timer = this.#clock.setTimer(this.#tickMs, () => this.#tick());
  }

  #tick(): void {
    this.#timer = undefined;
    this.#now = this.#clock.monotonic();
    // Backwards: an entry removed meanwhile is replaced by one that has been looked at already.
    for (let i = this.#entries.length - 1; i >= 0; i--) {
      const entry = this.#entries[i];
      if (entry === undefined || entry.deadlineAt > this.#now) continue;
      entry.deadlineAt = Number.POSITIVE_INFINITY;
      entry.onDeadline();
    }
    if (this.#entries.length > 0 && this.#timer === undefined) this.#start();
  }
}
