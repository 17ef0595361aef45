import { NativeMemory } from './native-memory.ts';
import { openssl, takeOpensslError } from './openssl.ts';
import { MAX_RECORD_BYTES } from './record-size.ts';

/** Ciphertext that is fed at once: eight records. */
export const FEED_BYTES = 8 * MAX_RECORD_BYTES;

/** All that what is fed at once completes, and room for a record behind it, without which a session hands out a part of one. */
export const FED_PLAIN_BYTES = FEED_BYTES + 2 * MAX_RECORD_BYTES;

/** include/openssl/bio.h */
const CTRL_PENDING = 10;
const CTRL_SET_BUF_MEM = 114;
const NOCLOSE = 0n;

/** `struct buf_mem_st` (include/openssl/buffer.h): length, data, max, each of eight bytes, and flags. */
const BUF_MEM_BYTES = 32;
const LENGTH_AT = 0;
const DATA_AT = 8;
const MAX_AT = 16;

/**
 * Where sessions find ciphertext: memory that was filled before, by a read of a socket or with what came in a byte channel. One
 * for a thread: a session that asks for more has taken all of it, so that it is empty between calls.
 *
 * A session that reads a socket itself reads ahead into a buffer of its own, and moves all that is left in there to the front
 * for each record that it takes out: with eight records 28 moves of one.
 */
export class RecordFeed {
  /** What a session reads from; it takes a reference of its own. BIO_s_mem(3) */
  readonly readEnd: bigint;
  readonly memory = new NativeMemory(FEED_BYTES);
  readonly #described = new NativeMemory(BUF_MEM_BYTES);

  /** Throws an Error when there is no memory for it. */
  constructor() {
    const ssl = openssl();
    this.readEnd = ssl.BIO_new(ssl.BIO_s_mem());
    if (this.readEnd === 0n) throw new Error(`no memory BIO: ${takeOpensslError()}`);
    this.#described.bytes.fill(0);
    this.#described.bytes.writeBigUInt64LE(this.memory.address, DATA_AT);
    this.#described.bytes.writeBigUInt64LE(BigInt(FEED_BYTES), MAX_AT);
  }

  /** The first `length` bytes of `memory` are there to be read. The feed was empty. BIO_set_mem_buf(3) */
  offer(length: number): void {
    if (length > FEED_BYTES) throw new Error(`${length} bytes are more than a feed holds`);
    this.#described.bytes.writeUInt32LE(length, LENGTH_AT);
    openssl().BIO_ctrl(this.readEnd, CTRL_SET_BUF_MEM, NOCLOSE, this.#described.address);
  }

  /** At most `FEED_BYTES`, copied, into a feed that is empty. */
  put(slice: Uint8Array): void {
    if (!this.isEmpty) throw new Error('a feed was not empty');
    this.memory.bytes.set(slice);
    this.offer(slice.length);
  }

  /** Whether a session has taken everything. BIO_ctrl_pending(3) */
  get isEmpty(): boolean {
    return openssl().BIO_ctrl(this.readEnd, CTRL_PENDING, 0n, 0n) === 0n;
  }

  /** Drops what a session has not taken that failed or was ended. */
  clear(): void {
    this.offer(0);
  }
}
