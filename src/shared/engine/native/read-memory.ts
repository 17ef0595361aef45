import { NativeMemory } from '../../native/native-memory.ts';

/** Where reads begin: a frame header of HTTP/2 (9 bytes) fits before, so that it and what was read leave in one piece. */
export const READ_OFFSET = 64;

/** Read in one call at most. */
export const READ_BYTES = 128 * 1024;

/** One for all connections of a thread: a slice is valid during `onData` alone, so that reading allocates nothing. */
export function newReadMemory(): NativeMemory {
  return new NativeMemory(READ_OFFSET + READ_BYTES);
}
