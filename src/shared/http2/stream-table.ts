import type { StreamState } from './stream-state.ts';

const FIRST_SLOTS = 8;

/**
 * The open streams of a connection by id. Open addressing instead of a `Map`, which at hundreds of thousands of streams a
 * second makes and leaves its own tables over and over: here nothing is allocated unless more are open than ever before. Ids of
 * one side are every other number, so that neighbours seldom meet.
 */
export class StreamTable {
  #slots: (StreamState | undefined)[] = emptySlots(FIRST_SLOTS);
  #mask = FIRST_SLOTS - 1;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: number): StreamState | undefined {
    let at = (id >>> 1) & this.#mask;
    for (let stream = this.#slots[at]; stream !== undefined; stream = this.#slots[at]) {
      if (stream.id === id) return stream;
      at = (at + 1) & this.#mask;
    }
    return undefined;
  }

  /** No stream of this id is in it yet. */
  add(stream: StreamState): void {
    // At most half full: a search ends soon.
    if (this.#size * 2 >= this.#slots.length) this.#grow();
    this.#put(stream);
    this.#size++;
  }

  delete(id: number): void {
    let at = (id >>> 1) & this.#mask;
    for (let stream = this.#slots[at]; stream?.id !== id; stream = this.#slots[at]) {
      if (stream === undefined) return;
      at = (at + 1) & this.#mask;
    }
    this.#size--;
    this.#close(at);
  }

  /** As of now: it may be changed while they are looked at. */
  streams(): StreamState[] {
    return this.#slots.filter(stream => stream !== undefined);
  }

  #put(stream: StreamState): void {
    let at = (stream.id >>> 1) & this.#mask;
    while (this.#slots[at] !== undefined) at = (at + 1) & this.#mask;
    this.#slots[at] = stream;
  }

  /** Whoever stands behind the gap and would be looked for in it or before it moves up, so that no search ends too soon. */
  #close(gap: number): void {
    let free = gap;
    let at = (gap + 1) & this.#mask;
    for (let stream = this.#slots[at]; stream !== undefined; stream = this.#slots[at]) {
      const home = (stream.id >>> 1) & this.#mask;
      if (((at - home) & this.#mask) >= ((at - free) & this.#mask)) {
        this.#slots[free] = stream;
        free = at;
      }
      at = (at + 1) & this.#mask;
    }
    this.#slots[free] = undefined;
  }

  #grow(): void {
    const streams = this.streams();
    this.#slots = emptySlots(this.#slots.length * 2);
    this.#mask = this.#slots.length - 1;
    for (const stream of streams) this.#put(stream);
  }
}

function emptySlots(count: number): (StreamState | undefined)[] {
  return Array.from({ length: count }, () => undefined);
}
