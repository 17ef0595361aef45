import { NativeMemory } from '../../native/native-memory.ts';
import { FEED_BYTES, RecordFeed } from '../../native/record-feed.ts';
import { STAGED_BYTES } from '../../native/record-stage.ts';

/** The largest record (RFC 8446 §5.2), of which all but the last byte may have come before. */
const RECORD_BYTES = 16 * 1024 + 261;
/** All that what is fed at once completes, and room for a record behind it, without which a session hands out a part of one. */
const PLAIN_BYTES = FEED_BYTES + 2 * RECORD_BYTES;

/** What all TLS of a thread that runs over byte channels shares. */
export class RecordMemory {
  readonly feed = new RecordFeed();
  /** Records on their way from the stage to their channel. */
  readonly ciphertext = new NativeMemory(STAGED_BYTES);
  readonly #free: NativeMemory[] = [];

  /** For plaintext while its receiver looks at it, which may be TLS again, so that several are in use. */
  takePlain(): NativeMemory {
    return this.#free.pop() ?? new NativeMemory(PLAIN_BYTES);
  }

  givePlain(memory: NativeMemory): void {
    this.#free.push(memory);
  }
}
