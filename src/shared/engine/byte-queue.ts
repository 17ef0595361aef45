import { lentChunks } from './lent-chunks.ts';

/** A slice of less is kept by itself: many streams may each hold a little for long. */
const CHUNKED_FROM_BYTES = 8 * 1024;
/** Taken at once where nothing else bounds it: as much as one read of a socket brings. */
const MAX_TAKEN_BYTES = 128 * 1024;

interface Piece {
  readonly memory: Buffer;
  /** Its memory goes back when it has been read. */
  lent: boolean;
  start: number;
  end: number;
}

/** Bytes of one stream that cannot go on yet, in order. */
export class ByteQueue {
  readonly #pieces: Piece[] = [];
  #bytes = 0;
  /** The piece that the last `take` was of; undefined once it has been released. */
  #taken: Piece | undefined;

  get bytes(): number {
    return this.#bytes;
  }

  /** Copies the slice. */
  append(slice: Uint8Array): void {
    let from = this.#fillTail(slice);
    while (slice.length - from >= CHUNKED_FROM_BYTES) {
      const memory = lentChunks.take(slice.length - from);
      const end = Math.min(memory.length, slice.length - from);
      memory.set(slice.subarray(from, from + end));
      this.#push(memory, true, end);
      from += end;
    }
    if (from < slice.length) this.#push(Buffer.from(slice.subarray(from)), false, slice.length - from);
  }

  /** Keeps the slice itself, which nobody changes any more. */
  appendOwned(slice: Uint8Array): void {
    const memory = Buffer.from(slice.buffer, slice.byteOffset, slice.length);
    if (slice.length > 0) this.#push(memory, false, slice.length);
  }

  /**
   * Takes the first bytes, at most `maxBytes`, as far as they are in one piece; undefined when there are none. Valid until
   * `release`, whatever else is called meanwhile.
   */
  take(maxBytes = MAX_TAKEN_BYTES): Buffer | undefined {
    const first = this.#pieces[0];
    if (first === undefined) return undefined;
    // Who asked before is not done: what is under its eyes is not lent to anybody else.
    if (this.#taken !== undefined) this.#taken.lent = false;
    const { start } = first;
    first.start = Math.min(first.end, start + maxBytes);
    this.#bytes -= first.start - start;
    if (first.start === first.end) this.#pieces.shift();
    this.#taken = first;
    return first.memory.subarray(start, first.start);
  }

  /** Whether what was taken last is the taker's for good. */
  get takenIsOwned(): boolean {
    return this.#taken?.lent === false;
  }

  /** What was taken is no longer used. */
  release(): void {
    const taken = this.#taken;
    this.#taken = undefined;
    if (taken?.lent === true && taken.start === taken.end) lentChunks.give(taken.memory, taken.memory.length);
  }

  /** Drops all that is queued. */
  clear(): void {
    if (this.#taken !== undefined) this.#taken.lent = false;
    for (const { lent, memory } of this.#pieces) if (lent) lentChunks.give(memory, memory.length);
    this.#pieces.length = 0;
    this.#bytes = 0;
  }

  /** Into what is left of the last chunk. @returns how much went there */
  #fillTail(slice: Uint8Array): number {
    const tail = this.#pieces.at(-1);
    if (tail?.lent !== true || tail.end === tail.memory.length) return 0;
    const size = Math.min(slice.length, tail.memory.length - tail.end);
    tail.memory.set(size === slice.length ? slice : slice.subarray(0, size), tail.end);
    tail.end += size;
    this.#bytes += size;
    return size;
  }

  #push(memory: Buffer, lent: boolean, end: number): void {
    this.#pieces.push({ memory, lent, start: 0, end });
    this.#bytes += end;
  }
}
