import { dlopen } from 'node:ffi';

/** include/uapi/asm-generic/resource.h */
const RLIMIT_CORE = 4;
/** Of `struct rlimit`: two numbers of 64 bits. */
const RLIMIT_BYTES = 16;

/**
 * No core file of this process: it holds private keys, and on a machine that keeps each a process that crashes again and again fills the
 * disk. Where the kernel hands them to a program (`core_pattern` with `|`) that program decides. The hard limit stays, so that
 * an operator can take it back of a running process: `prlimit --core=unlimited --pid PID`. setrlimit(2). Never throws.
 */
export function forbidCoreFiles(): void {
  try {
    const { functions } = dlopen(null, {
      getrlimit: { arguments: ['i32', 'pointer'], return: 'i32' },
      setrlimit: { arguments: ['i32', 'pointer'], return: 'i32' },
    });
    const limit = Buffer.alloc(RLIMIT_BYTES);
    if (functions.getrlimit(RLIMIT_CORE, limit) !== 0) return;
    limit.writeBigUInt64LE(0n, 0);
    functions.setrlimit(RLIMIT_CORE, limit);
  } catch {
    // What is not Linux has other ways.
  }
}
