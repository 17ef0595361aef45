import { toBuffer } from 'node:ffi';
import { libc } from './libc.ts';

/** errno values (include/uapi/asm-generic/errno{-base,}.h) that the event loop decides by. */
export const Errno = {
  EPERM: 1,
  EINTR: 4,
  EAGAIN: 11,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOSYS: 38,
  ECONNABORTED: 103,
  ENOMEM: 12,
  ENOBUFS: 105,
  EINPROGRESS: 115,
} as const;

let cell: Buffer | undefined;

/**
 * The calling thread's errno, read from its place in memory: for the data path, where a foreign call for it would cost as
 * much as the call that failed. errno(3): the place is fixed for the life of the thread, and so is this module.
 */
export function errnoNow(): number {
  cell ??= toBuffer(libc().__errno_location(), 4, false);
  return cell.readInt32LE(0);
}
