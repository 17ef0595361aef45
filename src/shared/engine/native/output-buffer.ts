import { NativeMemory } from '../../native/native-memory.ts';
import { ChunkPool } from '../chunk-pool.ts';

/** A message of a few hundred bytes; an HTTP/2 frame with its header; what gathers while the socket is busy. */
export const CHUNK_SIZES = [1024, 16 * 1024 + 64, 256 * 1024] as const;

/** Memory of one thread's output: about 4 MiB of each size are kept for the next connection. */
export function newOutputChunks(): ChunkPool<NativeMemory> {
  const [small, middle, large] = CHUNK_SIZES;
  return new ChunkPool(
    [
      { bytes: small, maxFree: 2048 },
      { bytes: middle, maxFree: 256 },
      { bytes: large, maxFree: 16 },
    ],
    bytes => new NativeMemory(bytes),
  );
}

/** Bytes of one connection that the kernel has not taken yet, in order. */
export class OutputBuffer {
  readonly #pool: ChunkPool<NativeMemory>;
  /** Full, before `#tail`. Empty nearly always. */
  readonly #full: NativeMemory[] = [];
  readonly #fullBytes: number[] = [];
  #tail: NativeMemory | undefined;
  /** Bytes in `#tail`. */
  #tailEnd = 0;
  /** Bytes of the first chunk that have been sent. */
  #sent = 0;
  #bytes = 0;

  constructor(pool: ChunkPool<NativeMemory>) {
    this.#pool = pool;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Copies the slice. */
  append(slice: Uint8Array): void {
    this.#bytes += slice.length;
    for (let from = 0; from < slice.length; ) {
      const tail = this.#room(slice.length - from);
      const size = Math.min(slice.length - from, tail.size - this.#tailEnd);
      tail.bytes.set(size === slice.length ? slice : slice.subarray(from, from + size), this.#tailEnd);
      this.#tailEnd += size;
      from += size;
    }
  }

  /** Copies bytes `from` to `to` of foreign memory, which is valid now and is not kept. */
  appendFrom(address: bigint, from: number, to: number): void {
    for (let at = from; at < to; ) {
      const tail = this.#room(to - at);
      const size = Math.min(to - at, tail.size - this.#tailEnd);
      tail.copyFrom(address + BigInt(at), this.#tailEnd, size);
      this.#tailEnd += size;
      this.#bytes += size;
      at += size;
    }
  }

  /** Address of what is to be sent next; valid until the next call of any other method. */
  get address(): bigint {
    const first = this.#full[0] ?? this.#tail;
    return first === undefined ? 0n : first.at(this.#sent);
  }

  /** Length of what is in one piece at `address`. */
  get length(): number {
    const first = this.#fullBytes[0];
    return (first ?? this.#tailEnd) - this.#sent;
  }

  /** The next `count` bytes, at most `length`, have been sent. */
  consume(count: number): void {
    this.#sent += count;
    this.#bytes -= count;
    if (count > 0 && this.length === 0) this.#dropFirst();
  }

  /** Drops everything. */
  clear(): void {
    // Setting a length leaves compiled code, and there is hardly ever anything in front of the tail.
    if (this.#full.length > 0) {
      for (const chunk of this.#full) this.#pool.give(chunk, chunk.size);
      this.#full.length = 0;
      this.#fullBytes.length = 0;
    }
    if (this.#tail !== undefined) this.#pool.give(this.#tail, this.#tail.size);
    this.#tail = undefined;
    this.#tailEnd = 0;
    this.#sent = 0;
    this.#bytes = 0;
  }

  /** Copies what is queued, which must be in one piece, to the end of the memory before `offset`, and drops it here. */
  moveBefore(target: Buffer, offset: number): number {
    const count = this.length;
    this.#tail?.bytes.copy(target, offset - count, this.#sent, this.#tailEnd);
    this.clear();
    return count;
  }

  #dropFirst(): void {
    this.#sent = 0;
    // Asked first: to shift an empty array leaves compiled code.
    const full = this.#full.length === 0 ? undefined : this.#full.shift();
    if (full !== undefined) {
      this.#fullBytes.shift();
      this.#pool.give(full, full.size);
      return;
    }
    if (this.#tail !== undefined) this.#pool.give(this.#tail, this.#tail.size);
    this.#tail = undefined;
    this.#tailEnd = 0;
  }

  #room(wanted: number): NativeMemory {
    const tail = this.#tail;
    if (tail === undefined) return (this.#tail = this.#pool.take(wanted));
    const fits = this.#tailEnd + wanted <= tail.size;
    if (fits || tail.size === CHUNK_SIZES[2])
      return this.#tailEnd < tail.size ? tail : this.#next(tail, wanted);
    // A few bytes before many (a frame header and its payload) move to a larger chunk: one piece, one TLS record.
    if (this.#full.length === 0) return this.#outgrow(tail, wanted);
    return this.#tailEnd < tail.size ? tail : this.#next(tail, wanted);
  }

  #next(tail: NativeMemory, wanted: number): NativeMemory {
    this.#full.push(tail);
    this.#fullBytes.push(this.#tailEnd);
    this.#tailEnd = 0;
    return (this.#tail = this.#pool.take(wanted));
  }

  #outgrow(tail: NativeMemory, wanted: number): NativeMemory {
    const larger = this.#pool.take(this.#tailEnd - this.#sent + wanted);
    tail.bytes.copy(larger.bytes, 0, this.#sent, this.#tailEnd);
    this.#tailEnd -= this.#sent;
    this.#sent = 0;
    this.#pool.give(tail, tail.size);
    return (this.#tail = larger);
  }
}
