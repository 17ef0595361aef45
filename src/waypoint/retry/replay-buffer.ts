/** As Linkerd: longer bodies are passed on and not sent again. */
export const MAX_REPLAY_BYTES = 64 * 1024;

const FIRST_CAPACITY = 4096;

/**
 * Keeps the body of a request as it goes out, to send it again in another try. Allocates nothing for a request without
 * body, and lets go of everything once the body is too long.
 */
export class ReplayBuffer {
  readonly #maxBytes: number;
  #bytes: Buffer | undefined;
  #length = 0;
  #complete = false;
  #overflowed = false;

  constructor(maxBytes = MAX_REPLAY_BYTES) {
    this.#maxBytes = maxBytes;
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

  /** The client has sent the whole body. */
  end(): void {
    this.#complete = true;
  }

  /** The response has begun, or the body is too long: no other try will be made. */
  discard(): void {
    this.#overflowed = true;
    this.#bytes = undefined;
    this.#length = 0;
  }

  /** Everything read so far is here. */
  get replayable(): boolean {
    return !this.#overflowed;
  }

  /** What is here is the whole body. */
  get complete(): boolean {
    return this.#complete;
  }

  get byteLength(): number {
    return this.#length;
  }

  /** What has been read so far: a view that holds until the next call of `append`. */
  contents(): Uint8Array {
    return this.#bytes === undefined ? EMPTY : this.#bytes.subarray(0, this.#length);
  }

  #reserve(length: number): Buffer {
    const old = this.#bytes;
    if (old !== undefined && old.length >= length) return old;
    const capacity = Math.min(this.#maxBytes, Math.max(FIRST_CAPACITY, length, (old?.length ?? 0) * 2));
    const bytes = Buffer.allocUnsafe(capacity);
    old?.copy(bytes, 0, 0, this.#length);
    this.#bytes = bytes;
    return bytes;
  }
}

const EMPTY = new Uint8Array(0);
