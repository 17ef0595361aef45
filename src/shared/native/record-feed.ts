import { getRawPointer } from 'node:ffi';
import { NativeMemory } from './native-memory.ts';
import { openssl, takeOpensslError } from './openssl.ts';

/** Ciphertext that is put in at once. */
export const FEED_BYTES = 64 * 1024;
/** Nobody writes in the other direction. */
const UNUSED_BYTES = 64n;

/**
 * Where sessions find ciphertext that does not come from a socket. One for a thread: a session that asks for more has taken
 * all of it, so that it is empty between calls. A pair of BIOs (BIO_s_bio(3)): what is written to the one is read from the other.
 */
export class RecordFeed {
  /** What a session reads from; it takes a reference of its own. */
  readonly readEnd: bigint;
  readonly #writeEnd: bigint;

  /** Throws an Error when there is no memory for it. */
  constructor() {
    const ends = new NativeMemory(16);
    if (openssl().BIO_new_bio_pair(ends.address, BigInt(FEED_BYTES), ends.at(8), UNUSED_BYTES) !== 1)
      throw new Error(`no pair of BIOs: ${takeOpensslError()}`);
    this.#writeEnd = ends.bytes.readBigUInt64LE(0);
    this.readEnd = ends.bytes.readBigUInt64LE(8);
  }

  /** At most `FEED_BYTES`, copied, into a feed that is empty. BIO_write(3) */
  put(slice: Uint8Array): void {
    // Read during the call, in which nothing can move it.
    const count = openssl().BIO_write(this.#writeEnd, getRawPointer(slice), slice.length);
    if (count !== slice.length)
      throw new Error(`a feed took ${count} of ${slice.length} bytes: it was not empty`);
  }

  /** Drops what a session has not taken that failed or was ended. */
  clear(): void {
    const ssl = openssl();
    cell ??= new NativeMemory(8);
    for (let dropped = 1; dropped > 0; ) dropped = ssl.BIO_nread(this.readEnd, cell.address, FEED_BYTES);
  }
}

let cell: NativeMemory | undefined;
