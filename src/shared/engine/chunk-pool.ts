/** A size of chunks, and how many of it are kept while nobody uses them; beyond that they are garbage. */
export interface ChunkSize {
  readonly bytes: number;
  readonly maxFree: number;
}

interface FreeList<Chunk> extends ChunkSize {
  readonly chunks: Chunk[];
}

/**
 * Memory of one thread that is lent again and again: what is held under load for a moment must not become garbage by the
 * gigabyte. A chunk is in exactly one place, here or with who took it; one that is not given back is garbage.
 */
export class ChunkPool<Chunk> {
  readonly #small: FreeList<Chunk>;
  readonly #middle: FreeList<Chunk>;
  readonly #large: FreeList<Chunk>;
  readonly #allocate: (bytes: number) => Chunk;

  /** @param sizes from the smallest */
  constructor(
    sizes: readonly [small: ChunkSize, middle: ChunkSize, large: ChunkSize],
    allocate: (bytes: number) => Chunk,
  ) {
    this.#small = { ...sizes[0], chunks: [] };
    this.#middle = { ...sizes[1], chunks: [] };
    this.#large = { ...sizes[2], chunks: [] };
    this.#allocate = allocate;
  }

  /** The smallest that holds so many bytes; the largest when none does. Whatever was in it last is in it still. */
  take(bytes: number): Chunk {
    const list = this.#listFor(bytes);
    return list.chunks.pop() ?? this.#allocate(list.bytes);
  }

  /** To be called at most once for each that was taken, by who looks at it no more. @param bytes its size */
  give(chunk: Chunk, bytes: number): void {
    const list = this.#listFor(bytes);
    if (list.chunks.length < list.maxFree) list.chunks.push(chunk);
  }

  /** Bytes that nobody uses now. */
  get freeBytes(): number {
    const lists = [this.#small, this.#middle, this.#large];
    return lists.reduce((sum, list) => sum + list.chunks.length * list.bytes, 0);
  }

  #listFor(bytes: number): FreeList<Chunk> {
    if (bytes <= this.#small.bytes) return this.#small;
    return bytes <= this.#middle.bytes ? this.#middle : this.#large;
  }
}
