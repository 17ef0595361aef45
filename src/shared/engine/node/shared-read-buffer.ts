const SHARED_READ_BYTES = 256 * 1024;
let buffer: Buffer | undefined;

/**
 * One read buffer for the plain sockets of the thread that do not own their reads: a slice is valid only during `onData`,
 * so they can share it, and reading allocates nothing.
 */
export function sharedReadBuffer(): Buffer {
  return (buffer ??= Buffer.allocUnsafeSlow(SHARED_READ_BYTES));
}
