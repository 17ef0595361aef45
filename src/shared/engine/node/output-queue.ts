/** Pooled memory that small writes are gathered in. */
export const CHUNK_BYTES = 64 * 1024;
/** Owned slices from here on are queued as they are; below, copying is cheaper than one more element of a writev. */
const COPY_BELOW_BYTES = 16 * 1024;
/** What a queue begins with: hundreds of connections with a message of a few hundred bytes each share little memory. */
export const SMALL_CHUNK_BYTES = 4 * 1024;
/** 4 MiB of each size kept for reuse per thread; beyond that chunks are garbage. */
const MAX_FREE_CHUNKS = 64;
const MAX_FREE_SMALL_CHUNKS = 1024;

/** Chunks of one thread. A chunk is in exactly one place: the free list, or one queue. */
export class ChunkPool {
  readonly #free: Buffer[] = [];
  readonly #freeSmall: Buffer[] = [];

  take(small: boolean): Buffer {
    return small
      ? (this.#freeSmall.pop() ?? Buffer.allocUnsafeSlow(SMALL_CHUNK_BYTES))
      : (this.#free.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES));
  }

  give(chunk: Buffer): void {
    if (chunk.length === SMALL_CHUNK_BYTES) {
      if (this.#freeSmall.length < MAX_FREE_SMALL_CHUNKS) this.#freeSmall.push(chunk);
    } else if (this.#free.length < MAX_FREE_CHUNKS) this.#free.push(chunk);
  }
}

/** Output of one channel that the socket has not been given yet, in order. */
export class OutputQueue {
  readonly #pool: ChunkPool;
  /** Ready to send, in order. */
  #segments: Buffer[] = [];
  /** The pooled chunks that `#segments` are cut from. */
  #chunks: Buffer[] = [];
  /** Being filled; its bytes follow `#segments`. */
  #open: Buffer | undefined;
  #openFrom = 0;
  #openTo = 0;
  #bytes = 0;

  constructor(pool: ChunkPool) {
    this.#pool = pool;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Copies the slice. */
  append(slice: Uint8Array): void {
    this.#bytes += slice.length;
    let from = 0;
    while (from < slice.length) {
      const open = this.#openChunk(slice.length - from);
      const size = Math.min(slice.length - from, open.length - this.#openTo);
      open.set(size === slice.length ? slice : slice.subarray(from, from + size), this.#openTo);
      this.#openTo += size;
      from += size;
    }
  }

  /** Keeps the slice itself when it is large. */
  appendOwned(slice: Uint8Array): void {
    if (slice.length < COPY_BELOW_BYTES) {
      this.append(slice);
      return;
    }
    this.#closeSegment();
    this.#segments.push(Buffer.from(slice.buffer, slice.byteOffset, slice.length));
    this.#bytes += slice.length;
  }

  /** Moves everything into `target` (segments to send) and `chunks` (to `release` once they are sent). */
  drainInto(target: Buffer[], chunks: Buffer[]): number {
    const bytes = this.#bytes;
    this.#closeSegment();
    for (const segment of this.#segments) target.push(segment);
    for (const chunk of this.#chunks) chunks.push(chunk);
    if (this.#open !== undefined) chunks.push(this.#open);
    this.#reset();
    return bytes;
  }

  release(chunks: Buffer[]): void {
    for (const chunk of chunks) this.#pool.give(chunk);
    chunks.length = 0;
  }

  /** Drops what is queued. */
  clear(): void {
    for (const chunk of this.#chunks) this.#pool.give(chunk);
    if (this.#open !== undefined) this.#pool.give(this.#open);
    this.#reset();
  }

  #openChunk(wantedBytes: number): Buffer {
    if (this.#open !== undefined && this.#openTo < this.#open.length) return this.#open;
    const small = this.#bytes <= SMALL_CHUNK_BYTES && wantedBytes <= SMALL_CHUNK_BYTES;
    if (this.#open !== undefined) {
      this.#closeSegment();
      this.#chunks.push(this.#open);
    }
    this.#open = this.#pool.take(small);
    this.#openFrom = 0;
    this.#openTo = 0;
    return this.#open;
  }

  #closeSegment(): void {
    if (this.#open === undefined || this.#openTo === this.#openFrom) return;
    this.#segments.push(this.#open.subarray(this.#openFrom, this.#openTo));
    this.#openFrom = this.#openTo;
  }

  #reset(): void {
    this.#segments.length = 0;
    this.#chunks.length = 0;
    this.#open = undefined;
    this.#openFrom = 0;
    this.#openTo = 0;
    this.#bytes = 0;
  }
}
