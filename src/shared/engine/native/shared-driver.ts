import { pollInRuntimeLoop, type RuntimePoll } from '../../native/runtime-loop.ts';
import type { EventLoop, LoopDriver } from './event-loop.ts';

/**
 * Drives the loop on a thread that has other work: the runtime's own loop waits, and a turn is one of the things it does.
 * For the main thread (tests, tools); a traffic thread has `ThreadDriver`.
 */
export class SharedDriver implements LoopDriver {
  readonly #loop: EventLoop;
  readonly #poll: RuntimePoll;
  #scheduled = false;

  constructor(loop: EventLoop) {
    this.#loop = loop;
    this.#poll = pollInRuntimeLoop(loop.fd, () => this.wake());
    this.#poll.unref();
    loop.drivenBy(this);
  }

  setAlive(alive: boolean): void {
    if (alive) this.#poll.ref();
    else this.#poll.unref();
  }

  wake(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    this.#scheduled = false;
    this.#loop.turn(0);
    if (this.#loop.hasWork) this.wake();
  };
}
