import { runtimeLoopFd } from '../../native/runtime-loop.ts';
import type { EventLoop, LoopDriver } from './event-loop.ts';
import type { LoopClock } from './loop-clock.ts';

/** Longest wait in one piece: a timer of the runtime itself, which this loop does not know, is late by no more. */
const MAX_WAIT_MS = 1_000;
/**
 * Longest wait after a turn in which something happened. Longer than the machine's tick, so that it is not the next timer
 * to go off: setting that one costs more than a system call.
 */
const SETTLE_MS = 20;

/**
 * Drives the loop of a thread that does nothing else: the thread blocks in `epoll_wait`. The runtime's own loop is watched
 * by it like any descriptor, so that messages from other threads wake it; each turn ends in the runtime, which delivers
 * them and runs continuations of promises.
 */
export class ThreadDriver implements LoopDriver {
  readonly #loop: EventLoop;
  readonly #clock: LoopClock;
  #alive = false;
  #scheduled = false;
  /** The last turn found nothing to do. */
  #quiet = false;

  constructor(loop: EventLoop, clock: LoopClock) {
    this.#loop = loop;
    this.#clock = clock;
    // Level-triggered: told again and again until the runtime has done what it has to.
    loop.watchInBackground(runtimeLoopFd(), { onReady: () => {}, onAgain: () => {} });
    loop.drivenBy(this);
  }

  setAlive(alive: boolean): void {
    this.#alive = alive;
    this.#clock.setDriven(alive);
    this.wake();
  }

  wake(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#drive);
  }

  /**
   * Between two turns the runtime has one pass, in which continuations of promises run, and what the turn left to it
   * (`setImmediate`). What those continuations leave to it stands behind this call in its queue, and waits for the next
   * byte or for SETTLE_MS: a second pass in case there is something would cost a request as much as a system call.
   */
  readonly #drive = (): void => {
    this.#scheduled = false;
    this.#quiet = !this.#loop.turn(this.#alive ? this.#waitMs() : 0);
    if (this.#clock.fire()) this.#quiet = false;
    if (this.#loop.hasWork) this.#loop.settle();
    // Without connections the thread waits in the runtime's loop, and may end there.
    if (this.#alive || this.#loop.hasWork) this.wake();
  };

  #waitMs(): number {
    const mostMs = this.#quiet ? MAX_WAIT_MS : SETTLE_MS;
    return Math.max(0, Math.min(mostMs, Math.ceil(this.#clock.untilNextMs())));
  }
}
