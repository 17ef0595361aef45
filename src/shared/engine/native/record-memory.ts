import { NativeMemory } from '../../native/native-memory.ts';
import { FED_PLAIN_BYTES } from '../../native/record-feed.ts';
import { STAGED_BYTES } from '../../native/record-stage.ts';

/** What all TLS of a thread that runs over byte channels shares. */
export class RecordMemory {
  /** Records on their way from the stage to their channel. */
  readonly ciphertext = new NativeMemory(STAGED_BYTES);
  readonly #free: NativeMemory[] = [];

  /** For plaintext while its receiver looks at it, which may be TLS again, so that several are in use. */
  takePlain(): NativeMemory {
    return this.#free.pop() ?? new NativeMemory(FED_PLAIN_BYTES);
  }

  givePlain(memory: NativeMemory): void {
    this.#free.push(memory);
  }
}
