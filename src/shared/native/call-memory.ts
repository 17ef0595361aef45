import { NativeMemory } from './native-memory.ts';

/** `struct sockaddr_in6`, the longest address an IP socket has; no value of an option is longer. */
export const MAX_ADDRESS_BYTES = 28;

/** Memory of the thread for the arguments of one call on a socket, so that no call allocates any. Not kept over a call. */
export interface CallMemory {
  /** An address, or the value of an option. */
  readonly value: NativeMemory;
  /** A `socklen_t` that the kernel updates in place. */
  readonly length: NativeMemory;
}

let memory: CallMemory | undefined;

/** `length` starts as `bytes`. */
export function callMemory(bytes: number = MAX_ADDRESS_BYTES): CallMemory {
  memory ??= { value: new NativeMemory(MAX_ADDRESS_BYTES), length: new NativeMemory(4) };
  memory.length.bytes.writeUInt32LE(bytes, 0);
  return memory;
}
