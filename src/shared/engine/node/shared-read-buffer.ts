const SHARED_READ_BYTES = 128 * 1024;
/** The runtime hands out one TLS record at a time. */
const SECURE_READ_BYTES = 64 * 1024;
let buffer: Buffer | undefined;
let secureBuffer: Buffer | undefined;

/**
 * One read buffer for the plain sockets of the thread that do not own their reads: a slice is valid only during `onData`,
 * so they can share it, and reading allocates nothing.
 */
export function sharedReadBuffer(): Buffer {
  return (buffer ??= Buffer.allocUnsafeSlow(SHARED_READ_BYTES));
}

/** The same for TLS sockets. Apart, so that a slice of either lives on while the other kind of socket is read. */
export function sharedSecureReadBuffer(): Buffer {
  return (secureBuffer ??= Buffer.allocUnsafeSlow(SECURE_READ_BYTES));
}
