import { NativeMemory } from '../../native/native-memory.ts';
import { FED_PLAIN_BYTES } from '../../native/record-feed.ts';

/** Where reads begin: a frame header of HTTP/2 (9 bytes) fits before, so that it and what was read leave in one piece. */
export const READ_OFFSET = 64;

/** Read at once: eight records of TLS. */
export const READ_BYTES = 128 * 1024;

/** Of plain bytes a frame header less, so that with it they fill eight records. */
export const PLAIN_READ_BYTES = READ_BYTES - 9;

/** One for all connections of a thread: a slice is valid during `onData` alone, so that reading allocates nothing. */
export function newReadMemory(): NativeMemory {
  return new NativeMemory(READ_OFFSET + FED_PLAIN_BYTES);
}
