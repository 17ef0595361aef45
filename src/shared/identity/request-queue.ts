/** Who waits: a connection, a pod that will soon have one, or nobody (a renewal). */
export type Priority = 'RealTime' | 'Warmup' | 'Background';

const ORDER: readonly Priority[] = ['RealTime', 'Warmup', 'Background'];

/**
 * First in, first out within a priority; each item is in it once, so it is bounded by the number of items there are.
 */
export class RequestQueue<T> {
  readonly #lanes: Readonly<Record<Priority, Set<T>>> = {
    RealTime: new Set(),
    Warmup: new Set(),
    Background: new Set(),
  };

  /** An item that waits already is moved when the new priority is higher. */
  add(item: T, priority: Priority): void {
    for (const lane of ORDER) {
      if (this.#lanes[lane].has(item)) {
        if (ORDER.indexOf(lane) <= ORDER.indexOf(priority)) return;
        this.#lanes[lane].delete(item);
      }
    }
    this.#lanes[priority].add(item);
  }

  take(): T | undefined {
    for (const priority of ORDER) {
      for (const item of this.#lanes[priority]) {
        this.#lanes[priority].delete(item);
        return item;
      }
    }
    return undefined;
  }

  delete(item: T): void {
    for (const priority of ORDER) this.#lanes[priority].delete(item);
  }

  get size(): number {
    return ORDER.reduce((sum, priority) => sum + this.#lanes[priority].size, 0);
  }
}
