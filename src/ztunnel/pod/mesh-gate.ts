import { ChannelError } from '#shared/engine/channel.ts';
import type { Clock, Timer } from '#shared/lifecycle/clock.ts';

const UNKNOWN =
  'the configuration of the mesh is not known yet: there is no snapshot, and the controller has not answered; without it nothing leaves a captured pod';

interface Waiting {
  readonly resolve: () => void;
  readonly timer: Timer;
}

/**
 * Shut until every type of the mesh's configuration is known once, from the disk or from the controller. Who knows nothing
 * yet takes a service for a stranger and would send in plaintext what is to be encrypted.
 */
export class MeshGate {
  readonly #clock: Clock;
  readonly #graceEndMs: number;
  readonly #waiting = new Set<Waiting>();
  #known = false;

  /** @param graceMs from now on who waits may wait for it; behind that all is lost at once */
  constructor(clock: Clock, graceMs: number) {
    this.#clock = clock;
    this.#graceEndMs = clock.monotonic() + graceMs;
  }

  get known(): boolean {
    return this.#known;
  }

  /** Why nothing may pass now; undefined when it is open. */
  get refusal(): ChannelError | undefined {
    return this.#known ? undefined : new ChannelError('unreachable', UNKNOWN);
  }

  /** For good. Idempotent. */
  open(): void {
    this.#known = true;
    for (const { resolve, timer } of this.#waiting) {
      timer.cancel();
      resolve();
    }
    this.#waiting.clear();
  }

  /** Resolves when it is open. Rejects with `ChannelError` after `ms`, by default at the end of the grace. */
  wait(ms = this.#graceEndMs - this.#clock.monotonic()): Promise<void> {
    const { refusal } = this;
    if (refusal === undefined) return Promise.resolve();
    if (ms <= 0) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      const timer = this.#clock.setTimer(ms, () => {
        this.#waiting.delete(waiting);
        reject(refusal);
      });
      const waiting: Waiting = { resolve, timer };
      this.#waiting.add(waiting);
    });
  }
}
