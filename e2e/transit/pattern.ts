import { createHash } from 'node:crypto';

/** A prime length, so that no record, frame or buffer size divides it: bytes that moved by one of those are found out. */
const LENGTH = 1_048_573;
/** The same at both ends. Making it costs more than sending it, so it is made once. */
const BLOCK = randomLooking();
/** Prime as well: streams begin far apart in the block, and no two of a run at one place. */
const STRIDE = 399_989;

/**
 * Endless bytes that both ends know: each tells, with its neighbours, the place it has in its stream, and streams begin at places of
 * their own, so that bytes of another one are found out too.
 */
export class Pattern {
  readonly #start: number;

  constructor(seed: number) {
    this.#start = (seed * STRIDE) % LENGTH;
  }

  /** Up to `wanted` bytes from `at` on; fewer where the block ends. */
  from(at: number, wanted: number): Buffer {
    const start = (this.#start + at) % LENGTH;
    return BLOCK.subarray(start, Math.min(LENGTH, start + wanted));
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

function randomLooking(): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0, bytes = 0; bytes < LENGTH; i++, bytes += 64)
    parts.push(createHash('sha512').update(`transit:${i}`).digest());
  return Buffer.concat(parts).subarray(0, LENGTH);
}
