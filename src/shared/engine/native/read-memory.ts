import { NativeMemory } from '../../native/native-memory.ts';

/** Where reads begin: a frame header of HTTP/2 (9 bytes) fits before, so that it and what was read leave in one piece. */
export const READ_OFFSET = 64;

/** Read in one turn of a connection at most: eight records of TLS. */
export const READ_BYTES = 128 * 1024;

/** Of plain bytes a frame header less, so that with it they fill eight records. */
export const PLAIN_READ_BYTES = READ_BYTES - 9;

/** One for all connections of a thread: a slice is valid during `onData` alone, so that reading allocates nothing. */
export function newReadMemory(): NativeMemory {
  return new NativeMemory(READ_OFFSET + READ_BYTES);
}
