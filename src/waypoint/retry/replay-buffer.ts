import { lentChunks } from '#shared/engine/lent-chunks.ts';

/** As Linkerd: longer bodies are passed on and not sent again. */
export const MAX_REPLAY_BYTES = 64 * 1024;

/**
 * Keeps the body of a request as it goes out, to send it again in another try. Allocates nothing for a request without
 * body, and gives its memory to the next one once no other try will be made, or the body is too long.
 */
export class ReplayBuffer {
  readonly #maxBytes: number;
  #bytes: Buffer | undefined;
  #length = 0;
  #overflowed = false;

  constructor(maxBytes = MAX_REPLAY_BYTES) {
    this.#maxBytes = Math.min(maxBytes, MAX_REPLAY_BYTES);
  }

  /** Copies `slice`, which its owner will use again. */
  append(slice: Uint8Array): void {
    if (this.#overflowed || slice.length === 0) return;
    const length = this.#length + slice.length;
    if (length > this.#maxBytes) {
      this.discard();
      return;
    }
    this.#reserve(length).set(slice, this.#length);
    this.#length = length;
  }

  /** The response has begun, or the body is too long: no other try will be made. */
  discard(): void {
    this.#overflowed = true;
    if (this.#bytes !== undefined) lentChunks.give(this.#bytes, this.#bytes.length);
    this.#bytes = undefined;
    this.#length = 0;
  }

  /** Everything read so far is here. */
  get replayable(): boolean {
    return !this.#overflowed;
  }

  get byteLength(): number {
    return this.#length;
  }

  /** What has been read so far: a view that holds until the next call of `append` or `discard`. */
  contents(): Uint8Array {
    return this.#bytes === undefined ? EMPTY : this.#bytes.subarray(0, this.#length);
  }

  #reserve(length: number): Buffer {
    const old = this.#bytes;
    if (old !== undefined && old.length >= length) return old;
    const bytes = lentChunks.take(length);
    if (old !== undefined) {
      old.copy(bytes, 0, 0, this.#length);
      lentChunks.give(old, old.length);
    }
    this.#bytes = bytes;
    return bytes;
  }
}

const EMPTY = new Uint8Array(0);
