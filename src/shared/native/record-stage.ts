import { NativeMemory } from './native-memory.ts';
import { openssl, takeOpensslError } from './openssl.ts';
import { MAX_RECORD_PLAIN_BYTES, RECORD_OVERHEAD_BYTES } from './record-size.ts';

/** Records that leave in one piece: what one read of a socket brings. */
const RECORDS = 8;
/** For what a session has to say of its own before them (KeyUpdate, an alert), and the nonces that TLS 1.2 sends along. */
const MESSAGE_BYTES = 256;

/** The most plaintext that fits. */
export const STAGE_BYTES = RECORDS * MAX_RECORD_PLAIN_BYTES;

/** The most that is staged. */
export const STAGED_BYTES = RECORDS * (MAX_RECORD_PLAIN_BYTES + RECORD_OVERHEAD_BYTES) + MESSAGE_BYTES;

/**
 * Where several records of one session are put together, so that they leave in one system call: each by itself is a packet,
 * a pass through the kernel, and a wake-up of the receiver. One for a thread: it is empty between calls. A pair of BIOs
 * (BIO_s_bio(3)): what is written to the one is read from the other, in place.
 */
export class RecordStage {
  /** What a session writes to; it takes a reference of its own. */
  readonly writeEnd: bigint;
  readonly #readEnd: bigint;
  readonly #cell = new NativeMemory(8);

  /** Throws an Error when there is no memory for it. */
  constructor() {
    const size = BigInt(STAGED_BYTES);
    const ends = new NativeMemory(16);
    if (openssl().BIO_new_bio_pair(ends.address, size, ends.at(8), size) !== 1)
      throw new Error(`no pair of BIOs: ${takeOpensslError()}`);
    this.writeEnd = ends.bytes.readBigUInt64LE(0);
    this.#readEnd = ends.bytes.readBigUInt64LE(8);
  }

  /** What is staged, in one piece. @returns its length; it is at `address` until `clear`. BIO_nread0(3) */
  take(): number {
    return Math.max(0, openssl().BIO_nread0(this.#readEnd, this.#cell.address));
  }

  /** Moves what is staged to the memory, of `STAGED_BYTES` at least. @returns its length. BIO_read(3) */
  moveTo(memory: NativeMemory): number {
    return Math.max(0, openssl().BIO_read(this.#readEnd, memory.address, memory.size));
  }

  /** Of what `take` told. */
  get address(): bigint {
    return this.#cell.bytes.readBigUInt64LE(0);
  }

  /** Forgets `length` bytes: all that `take` told. BIO_nread(3) */
  clear(length: number): void {
    openssl().BIO_nread(this.#readEnd, this.#cell.address, length);
  }
}
