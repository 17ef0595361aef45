import { ChunkPool } from '../chunk-pool.ts';

/** Pooled memory that writes are gathered in: an HTTP/2 frame of 64 KiB with its header fits. */
export const CHUNK_BYTES = 65 * 1024;
/** What gathers while the socket is busy. It should be one piece: a TLS socket copies several into one first. */
const LARGE_CHUNK_BYTES = 260 * 1024;
/** Owned slices from here on are queued as they are; below, copying is cheaper than one more element of a writev. */
const COPY_BELOW_BYTES = 16 * 1024;
/** What a queue begins with: hundreds of connections with a message of a few hundred bytes each share little memory. */
export const SMALL_CHUNK_BYTES = 4 * 1024;

/** Memory of one thread's output: about 4 MiB of each size are kept for the next channel. */
export function newOutputChunks(): ChunkPool<Buffer> {
  return new ChunkPool(
    [
      { bytes: SMALL_CHUNK_BYTES, maxFree: 1024 },
      { bytes: CHUNK_BYTES, maxFree: 64 },
      { bytes: LARGE_CHUNK_BYTES, maxFree: 16 },
    ],
    bytes => Buffer.allocUnsafeSlow(bytes),
  );
}

/** Output of one channel that the socket has not been given yet, in order. */
export class OutputQueue {
  readonly #pool: ChunkPool<Buffer>;
  /** Ready to send, in order. */
  #segments: Buffer[] = [];
  /** The pooled chunks that `#segments` are cut from. */
  #chunks: Buffer[] = [];
  /** Being filled; its bytes follow `#segments`. */
  #open: Buffer | undefined;
  #openFrom = 0;
  #openTo = 0;
  #bytes = 0;
  /** What was drained last has not been released yet. */
  #isSending = false;

  constructor(pool: ChunkPool<Buffer>) {
    this.#pool = pool;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Copies the slice. */
  append(slice: Uint8Array): void {
    if (this.#open?.length === SMALL_CHUNK_BYTES) this.#outgrowSmall(slice.length);
    let from = 0;
    this.#bytes += slice.length;
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
    this.#isSending = true;
    return bytes;
  }

  release(chunks: Buffer[]): void {
    this.#isSending = false;
    for (const chunk of chunks) this.#pool.give(chunk, chunk.length);
    chunks.length = 0;
  }

  /** Drops what is queued. */
  clear(): void {
    for (const chunk of this.#chunks) this.#pool.give(chunk, chunk.length);
    if (this.#open !== undefined) this.#pool.give(this.#open, this.#open.length);
    this.#reset();
  }

  #openChunk(wantedBytes: number): Buffer {
    if (this.#open !== undefined && this.#openTo < this.#open.length) return this.#open;
    const isFirst = this.#open === undefined;
    if (this.#open !== undefined) {
      this.#closeSegment();
      this.#chunks.push(this.#open);
    }
    const small = isFirst && wantedBytes <= SMALL_CHUNK_BYTES;
    this.#open = this.#pool.take(small ? SMALL_CHUNK_BYTES : this.#nextSize(isFirst));
    this.#openFrom = 0;
    this.#openTo = 0;
    return this.#open;
  }

  /** Few bytes (a frame header) before many would make two pieces of them: they move to a larger chunk instead. */
  #outgrowSmall(wantedBytes: number): void {
    const small = this.#open;
    if (small === undefined || this.#openFrom > 0 || this.#openTo + wantedBytes <= small.length) return;
    this.#open = this.#pool.take(this.#nextSize(true));
    this.#open.set(small.subarray(0, this.#openTo));
    this.#pool.give(small, small.length);
  }

  #nextSize(isFirst: boolean): number {
    return isFirst && !this.#isSending ? CHUNK_BYTES : LARGE_CHUNK_BYTES;
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
