/** Zeroes for `counts` counts of so many threads. */
export function countMemory(threads: number, counts: number): SharedArrayBuffer {
  return new SharedArrayBuffer((threads + 1) * counts * Int32Array.BYTES_PER_ELEMENT);
}

/**
 * A count that several threads share: one cell for all, by which it costs the same however many they are, and behind it one
 * for each thread, by which what a thread held that has died can be taken out again.
 */
export class SharedCount {
  readonly #cells: Int32Array;
  readonly #all: number;

  /** @param which of the counts in this memory */
  constructor(memory: SharedArrayBuffer, threads: number, which: number) {
    this.#cells = new Int32Array(memory);
    this.#all = which * (threads + 1);
  }

  get total(): number {
    return Atomics.load(this.#cells, this.#all);
  }

  /**
   * Nothing is between the two additions that a thread could be ended in: no call of ours, and nothing is allocated.
   * @returns the total then
   */
  add(thread: number, by: number): number {
    Atomics.add(this.#cells, this.#all + 1 + thread, by);
    return Atomics.add(this.#cells, this.#all, by) + by;
  }

  /** The thread has ended, and what it held with it. */
  forget(thread: number): void {
    Atomics.sub(this.#cells, this.#all, Atomics.exchange(this.#cells, this.#all + 1 + thread, 0));
  }
}
