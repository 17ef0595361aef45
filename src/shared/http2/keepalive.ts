import type { Clock, Timer } from '../lifecycle/clock.ts';

export interface KeepaliveOptions {
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
}

/**
 * PINGs at a fixed interval; the peer is dead when nothing at all has come from it for the timeout after a PING. Any
 * bytes count as life: the answer may be queued behind megabytes of data.
 */
export class Keepalive {
  readonly #clock: Clock;
  readonly #options: KeepaliveOptions;
  readonly #sendPing: () => void;
  readonly #onDead: () => void;
  #tick: Timer | undefined;
  #deadline: Timer | undefined;
  #heard = false;

  constructor(clock: Clock, options: KeepaliveOptions, sendPing: () => void, onDead: () => void) {
    this.#clock = clock;
    this.#options = options;
    this.#sendPing = sendPing;
    this.#onDead = onDead;
  }

  /** An interval of 0 switches it off. */
  start(): void {
    if (this.#options.pingIntervalMs > 0) this.#armTick();
  }

  stop(): void {
    this.#tick?.cancel();
    this.#deadline?.cancel();
  }

  heard(): void {
    this.#heard = true;
  }

  answered(): void {
    this.#deadline?.cancel();
    this.#deadline = undefined;
  }

  #armTick(): void {
    this.#tick = this.#clock.setTimer(this.#options.pingIntervalMs, () => {
      this.#armTick();
      if (this.#deadline !== undefined) return;
      this.#heard = false;
      this.#armDeadline();
      this.#sendPing();
    });
  }

  #armDeadline(): void {
    this.#deadline = this.#clock.setTimer(this.#options.pingTimeoutMs, () => {
      if (!this.#heard) return this.#onDead();
      this.#heard = false;
      this.#armDeadline();
    });
  }
}
