import { runtimeLoopFd } from '../../native/runtime-loop.ts';
import type { EventLoop, LoopDriver } from './event-loop.ts';
import type { LoopClock } from './loop-clock.ts';

/** Longest wait in one piece: a timer of the runtime itself, which this loop does not know, is late by no more. */
const MAX_WAIT_MS = 1_000;

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
  /** The last turn found nothing to do, and neither has anything else on the thread: it may block. */
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
   * A turn in which something happened is followed by one that does not wait: what continuations of promises left to the
   * runtime (`setImmediate`) runs in between, instead of when the next byte arrives.
   */
  readonly #drive = (): void => {
    this.#scheduled = false;
    this.#quiet = !this.#loop.turn(this.#alive && this.#quiet ? this.#waitMs() : 0);
    if (this.#clock.fire()) this.#quiet = false;
    if (this.#loop.hasWork) this.#loop.settle();
    // Without connections the thread waits in the runtime's loop, and may end there.
    if (this.#alive || this.#loop.hasWork) this.wake();
  };

  #waitMs(): number {
    return Math.max(0, Math.min(MAX_WAIT_MS, Math.ceil(this.#clock.untilNextMs())));
  }
}
