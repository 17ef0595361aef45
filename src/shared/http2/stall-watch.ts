import type { Clock, Timer } from '../lifecycle/clock.ts';

/** Rhythm of the checks: a deadline of minutes needs no more precision. */
const CHECK_MS = 10_000;

export interface StallEvents {
  /** Whether the channel is above its high-water mark now. */
  isBlocked(): boolean;
  /** Each round, for the streams' own deadlines. */
  onCheck(nowMs: number): void;
  /** The channel has not drained for the timeout. */
  onStall(): void;
}

/** Notices a peer that opens its windows and then does not read: it holds our send buffer just as a shut window would. */
export class StallWatch {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #events: StallEvents;
  #timer: Timer | undefined;
  #blockedSinceMs = -1;

  /** A timeout of 0 switches it off. */
  constructor(clock: Clock, timeoutMs: number, events: StallEvents) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#events = events;
  }

  start(): void {
    if (this.#timeoutMs === 0) return;
    this.#timer = this.#clock.setTimer(CHECK_MS, () => {
      this.start();
      this.#check(this.#clock.monotonic());
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  drained(): void {
    this.#blockedSinceMs = -1;
  }

  #check(nowMs: number): void {
    this.#events.onCheck(nowMs);
    if (!this.#events.isBlocked()) return;
    if (this.#blockedSinceMs < 0) this.#blockedSinceMs = nowMs;
    if (nowMs - this.#blockedSinceMs >= this.#timeoutMs) this.#events.onStall();
  }
}
