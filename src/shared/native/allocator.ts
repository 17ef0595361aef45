import { dlopen } from 'node:ffi';

/** malloc.h of glibc */
const M_ARENA_MAX = -8;

/**
 * One arena of the C allocator for all threads. Each thread otherwise keeps freed buffers in an arena of its own, which
 * costs a busy proxy tens of megabytes; our threads allocate too rarely in C for the shared lock to be felt.
 * Call it before threads are started. mallopt(3) is glibc's: elsewhere this does nothing. Never throws.
 */
export function useOneArena(): void {
  try {
    const { functions } = dlopen(null, { mallopt: { arguments: ['i32', 'i32'], return: 'i32' } });
    functions.mallopt(M_ARENA_MAX, 1);
  } catch {
    // Another C library has no such knob, and no such habit.
  }
}

/** Gives free memory of the C allocator back to the kernel. malloc_trim(3); nothing where there is none. Never throws. */
export function trimAllocator(): void {
  try {
    const { functions } = dlopen(null, { malloc_trim: { arguments: ['u64'], return: 'i32' } });
    functions.malloc_trim(0n);
  } catch {
    // As above.
  }
}
