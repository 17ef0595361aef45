/** Who waits: a connection, a pod that will soon have one, or nobody (a renewal). */
export type Priority = 'RealTime' | 'Warmup' | 'Background';

const ORDER: readonly Priority[] = ['RealTime', 'Warmup', 'Background'];

/**
 * Requests that wait for one of a few places, and those that have one. First in, first out within a priority; each item
 * waits once, so it is bounded by the number of items there are.
 */
export class RequestQueue<T> {
  readonly #maxConcurrent: number;
  readonly #request: (item: T) => Promise<void>;
  readonly #lanes: Readonly<Record<Priority, Set<T>>> = {
    RealTime: new Set(),
    Warmup: new Set(),
    Background: new Set(),
  };
  #active = 0;
  #isClosed = false;
  #idleWaiters: (() => void)[] = [];

  /** @param request begins when there is a place, inside `add` where there is one; never rejects */
  constructor(maxConcurrent: number, request: (item: T) => Promise<void>) {
    this.#maxConcurrent = maxConcurrent;
    this.#request = request;
  }

  /** An item that waits already is moved when the new priority is higher. */
  add(item: T, priority: Priority): void {
    for (const lane of ORDER) {
      if (this.#lanes[lane].has(item)) {
        if (ORDER.indexOf(lane) <= ORDER.indexOf(priority)) return;
        this.#lanes[lane].delete(item);
      }
    }
    this.#lanes[priority].add(item);
    this.#pump();
  }

  delete(item: T): void {
    for (const priority of ORDER) this.#lanes[priority].delete(item);
  }

  /** Resolves when no request is waiting or under way; later ones do not count. */
  whenIdle(): Promise<void> {
    if (this.#isIdle) return Promise.resolve();
    return new Promise(resolve => this.#idleWaiters.push(resolve));
  }

  /** What waits is dropped, and nothing is waited for. Requests under way are for their owner to abort. */
  close(): void {
    this.#isClosed = true;
    for (const priority of ORDER) this.#lanes[priority].clear();
    this.#settleIdle();
  }

  #pump(): void {
    while (this.#active < this.#maxConcurrent && !this.#isClosed) {
      const item = this.#take();
      if (item === undefined) return;
      this.#active += 1;
      void this.#request(item).then(() => this.#onDone());
    }
  }

  #onDone(): void {
    this.#active -= 1;
    this.#pump();
    if (this.#isClosed || this.#isIdle) this.#settleIdle();
  }

  #take(): T | undefined {
    for (const priority of ORDER) {
      for (const item of this.#lanes[priority]) {
        this.#lanes[priority].delete(item);
        return item;
      }
    }
    return undefined;
  }

  get #isIdle(): boolean {
    return this.#active === 0 && ORDER.every(priority => this.#lanes[priority].size === 0);
  }

  #settleIdle(): void {
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const waiter of waiters) waiter();
  }
}
