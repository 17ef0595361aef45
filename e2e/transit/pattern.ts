import { createHash } from 'node:crypto';

/** A prime length, so that no record, frame or buffer size divides it: bytes that moved by one of those are found out. */
const LENGTH = 1_048_573;

/** Endless bytes that both ends know: each tells, with its neighbours, the place it has in its stream. */
export class Pattern {
  readonly #block: Buffer;

  constructor(seed: number) {
    const parts: Buffer[] = [];
    for (let i = 0, bytes = 0; bytes < LENGTH; i++, bytes += 64)
      parts.push(createHash('sha512').update(`${seed}:${i}`).digest());
    this.#block = Buffer.concat(parts).subarray(0, LENGTH);
  }

  /** Up to `wanted` bytes from `at` on; fewer where the block ends. */
  from(at: number, wanted: number): Buffer {
    const start = at % LENGTH;
    return this.#block.subarray(start, Math.min(LENGTH, start + wanted));
  }

  /** Whether `bytes` are what stands at `at`. */
  matches(at: number, bytes: Buffer): boolean {
    for (let done = 0; done < bytes.length; ) {
      const expected = this.from(at + done, bytes.length - done);
      if (!expected.equals(bytes.subarray(done, done + expected.length))) return false;
      done += expected.length;
    }
    return true;
  }
}
