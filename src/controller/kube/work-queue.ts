import { type BackoffOptions, backoffDelay } from '#shared/lifecycle/backoff.ts';
import type { Clock, Timer } from '#shared/lifecycle/clock.ts';

export interface WorkQueueOptions {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** Brings one thing to where it should be. It reads what that is: the key carries no event. */
  readonly process: (key: string) => Promise<void>;
  /** A key failed; it is tried again after `waitMs`. */
  readonly onFailure: (key: string, error: unknown, waitMs: number) => void;
  /** Keys in work at once. */
  readonly concurrency: number;
  /** Starts per second on average, and how many may come at once after a quiet time. */
  readonly perSecond: number;
  readonly burst: number;
}

const BACKOFF: BackoffOptions = { initialMs: 250, maxMs: 60_000, factor: 2, jitter: 0.3 };

interface KeyState {
  failures: number;
  working: boolean;
  /** Asked for while it was in work, or waiting in line. */
  wanted: boolean;
  retry: Timer | undefined;
}

/**
 * Keys that wait for work. A key that is asked for several times before its turn is worked on once; one key is never in
 * work twice at the same time; what fails is tried again later and later, without holding up the others. Bounded by the
 * number of different keys.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #keys = new Map<string, KeyState>();
  readonly #line: string[] = [];
  #working = 0;
  #tokens: number;
  #filledAt: number;
  #paused = true;
  #stopped = false;
  #wake: Timer | undefined;
  #onIdle: (() => void)[] = [];

  constructor(options: WorkQueueOptions) {
    this.#options = options;
    this.#tokens = options.burst;
    this.#filledAt = options.clock.monotonic();
  }

  get size(): number {
    return this.#keys.size;
  }

  add(key: string): void {
    if (this.#stopped) return;
    const state = this.#stateOf(key);
    state.retry?.cancel();
    state.retry = undefined;
    if (state.wanted) return;
    state.wanted = true;
    if (!state.working) this.#line.push(key);
    this.#pump();
  }

  /** Begins, or goes on after `pause`. */
  start(): void {
    this.#paused = false;
    this.#pump();
  }

  /** What waits is kept; what is in work is finished. */
  pause(): void {
    this.#paused = true;
    this.#wake?.cancel();
    this.#wake = undefined;
  }

  /** Resolves when nothing is in work any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.pause();
    for (const { retry } of this.#keys.values()) retry?.cancel();
    this.#keys.clear();
    this.#line.length = 0;
    if (this.#working > 0) await new Promise<void>(resolve => this.#onIdle.push(resolve));
  }

  #stateOf(key: string): KeyState {
    let state = this.#keys.get(key);
    if (state === undefined) {
      state = { failures: 0, working: false, wanted: false, retry: undefined };
      this.#keys.set(key, state);
    }
    return state;
  }

  #pump(): void {
    while (!this.#paused && this.#line.length > 0 && this.#working < this.#options.concurrency) {
      if (!this.#takeToken()) return;
      const key = this.#line.shift();
      if (key !== undefined) void this.#work(key);
    }
  }

  /** Where there is none, the line goes on when there is one. */
  #takeToken(): boolean {
    const { burst, clock, perSecond } = this.#options;
    const now = clock.monotonic();
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filledAt) * perSecond) / 1000);
    this.#filledAt = now;
    if (this.#tokens >= 1) {
      this.#tokens--;
      return true;
    }
    this.#wake ??= clock.setTimer(Math.ceil(((1 - this.#tokens) * 1000) / perSecond), () => {
      this.#wake = undefined;
      this.#pump();
    });
    return false;
  }

  /** Never rejects. */
  async #work(key: string): Promise<void> {
    const state = this.#stateOf(key);
    state.working = true;
    state.wanted = false;
    this.#working++;
    try {
      await this.#options.process(key);
      state.failures = 0;
    } catch (error) {
      if (!this.#stopped) this.#retryLater(key, state, error);
    }
    state.working = false;
    this.#working--;
    if (state.wanted) this.#line.push(key);
    else if (state.retry === undefined) this.#keys.delete(key);
    if (this.#working === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
    this.#pump();
  }

  #retryLater(key: string, state: KeyState, error: unknown): void {
    const { clock, onFailure, random } = this.#options;
    const waitMs = backoffDelay(BACKOFF, state.failures++, random());
    onFailure(key, error, waitMs);
    // Asked for meanwhile: its turn comes anyway.
    if (state.wanted) return;
    state.retry = clock.setTimer(waitMs, () => {
      state.retry = undefined;
      this.add(key);
    });
  }
}
