import { runtimeLoopFd } from '../../native/runtime-loop.ts';
import { runContinuations } from './continuations.ts';
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
 * How long turns follow one another before the runtime gets a pass, and with it what it alone does: its timers, and what was left to it
 * (`setImmediate`). A pass costs as much as a small request.
 */
const PASS_EVERY_MS = 5;

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
  /** The runtime has something to do: a message of another thread, say. */
  #runtimeWaits = false;

  constructor(loop: EventLoop, clock: LoopClock) {
    this.#loop = loop;
    this.#clock = clock;
    const onReady = (): void => {
      this.#runtimeWaits = true;
    };
    // Level-triggered: told again and again until the runtime has done what it has to.
    loop.watchInBackground(runtimeLoopFd(), { onReady, onAgain: () => {} });
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

  readonly #drive = (): void => {
    try {
      this.#turns();
    } finally {
      this.#scheduled = false;
      // Without connections the thread waits in the runtime's loop, and may end there.
      if (this.#alive || this.#loop.hasWork) this.wake();
    }
  };

  /**
   * Each followed by the continuations of promises that it brought, until the runtime has something to do or has waited for long
   * enough. What was left to it (`setImmediate`) waits for that, or for SETTLE_MS once nothing comes any more.
   */
  #turns(): void {
    const until = this.#clock.monotonic() + PASS_EVERY_MS;
    this.#runtimeWaits = false;
    do {
      this.#quiet = !this.#loop.turn(this.#alive ? this.#waitMs() : 0);
      if (this.#clock.fire()) this.#quiet = false;
      if (this.#loop.hasWork) this.#loop.settle();
    } while (this.#goesOn() && runContinuations() && this.#clock.monotonic() < until);
  }

  #goesOn(): boolean {
    return this.#alive && !this.#quiet && !this.#runtimeWaits;
  }

  #waitMs(): number {
    const mostMs = this.#quiet ? MAX_WAIT_MS : SETTLE_MS;
    return Math.max(0, Math.min(mostMs, Math.ceil(this.#clock.untilNextMs())));
  }
}
