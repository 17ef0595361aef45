import { TurnList } from '../../lifecycle/turn-list.ts';
import { Epoll } from '../../native/epoll.ts';
import { EpollFlag } from '../../native/platform.ts';

/** Something with a descriptor that the loop watches. Its methods are called in turns of the loop, and must not throw. */
export interface Pollable {
  /** `flags` of epoll(7). What is ready is told once, until it was found not to be (edge-triggered). */
  onReady(flags: number): void;
  /** As asked for with `again`. */
  onAgain(): void;
}

/** Gathers output during a turn. */
export interface Flushable {
  flush(): void;
}

/** Who runs the turns: see `thread-driver.ts` and `shared-driver.ts`. */
export interface LoopDriver {
  /** Something waits for the next turn. May come at any time, also within one. */
  wake(): void;
  /** Descriptors are watched, or no more. While there are, the thread lives on. */
  setAlive(alive: boolean): void;
}

/** A place that is taken again has another generation, so that events of its former owner find nobody. */
export interface Watch {
  readonly slot: number;
  readonly generation: number;
}

/** Rounds of "what was asked for at the end of the turn asks for more" before the loop turns. */
const MAX_SETTLE_ROUNDS = 8;

/**
 * One thread's loop: waits for descriptors, lets those that are ready work, then sends what was written, in that order, so
 * that what many connections caused on one leaves in one system call and one TLS record.
 */
export class EventLoop {
  readonly #epoll = new Epoll();
  readonly #pollables: (Pollable | undefined)[] = [];
  readonly #generations: number[] = [];
  readonly #freeSlots: number[] = [];
  #driver: LoopDriver | undefined;
  #watched = 0;
  readonly #again = new TurnList<Pollable>();
  readonly #dirty = new TurnList<Flushable>();
  readonly #deferred = new TurnList<() => void>();

  /** Becomes readable when a turn has something to do. */
  get fd(): number {
    return this.#epoll.fd;
  }

  /** Once, before anything is watched. */
  drivenBy(driver: LoopDriver): void {
    this.#driver = driver;
  }

  /** Connections: told of data, of room, and of the peer's end, each time that something new is there. */
  watchStream(fd: number, pollable: Pollable): Watch {
    return this.#watch(fd, pollable, EpollFlag.in | EpollFlag.out | EpollFlag.rdhup | EpollFlag.edge);
  }

  /** Listeners and the like: told in each turn in which there is something to read. */
  watchReadable(fd: number, pollable: Pollable): Watch {
    return this.#watch(fd, pollable, EpollFlag.in);
  }

  /** As `watchReadable`, for the life of the loop, and not a reason for the thread to live on. */
  watchInBackground(fd: number, pollable: Pollable): void {
    this.#take(fd, pollable, EpollFlag.in);
  }

  /** The place goes to another owner of the same descriptor (TLS takes over a TCP connection). */
  handOver(watch: Watch, pollable: Pollable): void {
    if (this.#generations[watch.slot] === watch.generation) this.#pollables[watch.slot] = pollable;
  }

  /** Before the descriptor is closed, which takes it out of the kernel's set; `keepsOpen`: it is not going to be. */
  unwatch(fd: number, watch: Watch, keepsOpen = false): void {
    if (this.#generations[watch.slot] !== watch.generation) return;
    if (keepsOpen) this.#epoll.remove(fd);
    this.#pollables[watch.slot] = undefined;
    this.#generations[watch.slot] = (watch.generation + 1) >>> 0;
    this.#freeSlots.push(watch.slot);
    if (--this.#watched === 0) this.#driver?.setAlive(false);
  }

  /** Calls `onAgain` in the next turn: the pollable has work left that no event will tell of. Not twice before that. */
  again(pollable: Pollable): void {
    this.#again.add(pollable);
    this.#driver?.wake();
  }

  /** Flushes at the end of this turn. Not twice before that. */
  flushLater(flushable: Flushable): void {
    if (this.#dirty.add(flushable) === 1) this.#driver?.wake();
  }

  /** Runs `fn` at the end of this turn: after the call that led here has returned. */
  defer(fn: () => void): void {
    if (this.#deferred.add(fn) === 1) this.#driver?.wake();
  }

  /** Whether a turn would find work without waiting. */
  get hasWork(): boolean {
    return this.#again.size > 0 || this.#dirty.size > 0 || this.#deferred.size > 0;
  }

  /**
   * One turn. `waitMs`: how long to wait when nothing is ready; whole, or -1 for ever.
   * @returns whether anything happened
   */
  turn(waitMs: number): boolean {
    // Written between turns, by continuations of promises.
    if (this.hasWork) this.settle();
    const hasMore = this.#again.size > 0;
    const count = this.#epoll.wait(hasMore ? 0 : waitMs);
    for (let i = 0; i < count; i++) this.#dispatch(i);
    if (hasMore) this.#again.run(callAgain);
    this.settle();
    return count > 0 || hasMore;
  }

  /** Sends what was written and runs what was deferred. */
  settle(): void {
    for (let round = 0; round < MAX_SETTLE_ROUNDS; round++) {
      if (this.#dirty.size > 0) this.#dirty.run(callFlush);
      if (this.#deferred.size === 0) return;
      this.#deferred.run(call);
    }
    this.#driver?.wake();
  }

  #watch(fd: number, pollable: Pollable, flags: number): Watch {
    const watch = this.#take(fd, pollable, flags);
    if (this.#watched++ === 0) this.#driver?.setAlive(true);
    return watch;
  }

  #take(fd: number, pollable: Pollable, flags: number): Watch {
    const slot = this.#freeSlots.pop() ?? this.#pollables.length;
    const generation = this.#generations[slot] ?? 0;
    this.#generations[slot] = generation;
    this.#pollables[slot] = pollable;
    try {
      this.#epoll.add(fd, flags >>> 0, slot, generation);
    } catch (error) {
      this.#pollables[slot] = undefined;
      this.#freeSlots.push(slot);
      throw error;
    }
    return { slot, generation };
  }

  #dispatch(index: number): void {
    const slot = this.#epoll.slotOf(index);
    // Closed earlier in this turn, and perhaps taken by another connection since.
    if (this.#generations[slot] !== this.#epoll.generationOf(index)) return;
    this.#pollables[slot]?.onReady(this.#epoll.flagsOf(index));
  }
}

const callAgain = (pollable: Pollable): void => pollable.onAgain();
const callFlush = (flushable: Flushable): void => flushable.flush();
const call = (fn: () => void): void => fn();
