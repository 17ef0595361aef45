/** Length of what precedes a message: a flag for compression, and four bytes of length (gRPC over HTTP/2, "Length-Prefixed-Message"). */
const PREFIX_BYTES = 5;

/** Counts the messages of a gRPC stream as its bytes pass, in whatever slices. Keeps nothing of them. */
export class GrpcMessages {
  /** Whose length has been seen. */
  count = 0;
  /** Of the message that is passing. */
  #bytesLeft = 0;
  #prefixSeen = 0;
  #length = 0;

  onBody(slice: Uint8Array): void {
    for (let at = 0; at < slice.length; ) {
      if (this.#bytesLeft > 0) {
        const passed = Math.min(this.#bytesLeft, slice.length - at);
        this.#bytesLeft -= passed;
        at += passed;
        continue;
      }
      // The first byte is the flag; the length is read one byte at a time, as a slice may end anywhere.
      if (this.#prefixSeen > 0) this.#length = this.#length * 256 + (slice[at] ?? 0);
      at++;
      this.#prefixSeen++;
      if (this.#prefixSeen < PREFIX_BYTES) continue;
      this.count++;
      this.#bytesLeft = this.#length;
      this.#prefixSeen = 0;
      this.#length = 0;
    }
  }
}
