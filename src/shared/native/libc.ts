import { DynamicLibrary, getInt32 } from 'node:ffi';
import { type DirectFunctions, directFunctions } from './direct-functions.ts';
import { linuxAbi } from './platform.ts';
import { SystemCallError } from './system-error.ts';

/**
 * The C library of this process. This file holds every foreign signature of the project: a wrong one corrupts memory,
 * so each is checked against its man page and nothing outside `src/shared/native/` may call one.
 */
const DEFINITIONS = {
  __errno_location: { arguments: [], return: 'pointer' },
  setns: { arguments: ['i32', 'i32'], return: 'i32' },
  sched_setscheduler: { arguments: ['i32', 'i32', 'pointer'], return: 'i32' },
  socket: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
  bind: { arguments: ['i32', 'pointer', 'u32'], return: 'i32' },
  listen: { arguments: ['i32', 'i32'], return: 'i32' },
  getsockname: { arguments: ['i32', 'pointer', 'pointer'], return: 'i32' },
  setsockopt: { arguments: ['i32', 'i32', 'i32', 'pointer', 'u32'], return: 'i32' },
  getsockopt: { arguments: ['i32', 'i32', 'i32', 'pointer', 'pointer'], return: 'i32' },
  // fcntl is variadic; an integer argument travels in the same register either way on the two ABIs we admit.
  fcntl: { arguments: ['i32', 'i32', 'i64'], return: 'i32' },
  close: { arguments: ['i32'], return: 'i32' },
  // Lengths and their results are below 2^31 here, so that they travel as numbers: a BigInt costs more than the call.
  read: { arguments: ['i32', 'pointer', 'u32'], return: 'i32' },
  write: { arguments: ['i32', 'pointer', 'u32'], return: 'i32' },
  pipe2: { arguments: ['pointer', 'i32'], return: 'i32' },
  splice: { arguments: ['i32', 'pointer', 'i32', 'pointer', 'u32', 'u32'], return: 'i32' },
  accept4: { arguments: ['i32', 'pointer', 'pointer', 'i32'], return: 'i32' },
  connect: { arguments: ['i32', 'pointer', 'u32'], return: 'i32' },
  getpeername: { arguments: ['i32', 'pointer', 'pointer'], return: 'i32' },
  shutdown: { arguments: ['i32', 'i32'], return: 'i32' },
  madvise: { arguments: ['pointer', 'u64', 'i32'], return: 'i32' },
  memcpy: { arguments: ['pointer', 'pointer', 'u64'], return: 'pointer' },
  epoll_create1: { arguments: ['i32'], return: 'i32' },
  epoll_ctl: { arguments: ['i32', 'i32', 'i32', 'pointer'], return: 'i32' },
  epoll_wait: { arguments: ['i32', 'pointer', 'i32', 'i32'], return: 'i32' },
} as const;

/** Rare calls, of buffers and strings, which the runtime turns into addresses. */
const CONVERTED = {
  send: { arguments: ['i32', 'pointer', 'u32', 'i32'], return: 'i32' },
  recv: { arguments: ['i32', 'pointer', 'u32', 'i32'], return: 'i32' },
  if_nametoindex: { arguments: ['string'], return: 'u32' },
} as const;

let library: DynamicLibrary | undefined;

/** Never closed. */
function thisProcess(): DynamicLibrary {
  linuxAbi();
  return (library ??= new DynamicLibrary(null));
}

function loadConverted() {
  return thisProcess().getFunctions(CONVERTED);
}

let direct: DirectFunctions<typeof DEFINITIONS> | undefined;
let converted: ReturnType<typeof loadConverted> | undefined;

/** Resolved on first use, so that a tier that captures nothing starts on any platform. */
export function libc(): DirectFunctions<typeof DEFINITIONS> {
  return (direct ??= directFunctions(thisProcess(), DEFINITIONS));
}

/** As `libc`, of those that take buffers and strings. */
export function libcConverted(): ReturnType<typeof loadConverted> {
  return (converted ??= loadConverted());
}

/** The calling thread's errno (errno(3)). Valid only as the very next foreign call after the one that failed. */
export function lastErrno(): number {
  return getInt32(libc().__errno_location());
}

/** Returns `result`, or throws what errno says when it is negative. */
export function checked(result: number, syscall: string, purpose: string): number {
  return result < 0 ? failed(syscall, purpose) : result;
}

/** Throws what errno says of the call before: for a `purpose` whose text is not worth making for each call that succeeds. */
export function failed(syscall: string, purpose: string): never {
  throw new SystemCallError(syscall, lastErrno(), purpose);
}
