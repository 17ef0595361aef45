import { getSystemErrorMap } from 'node:util';

/**
 * A system call that failed. `code` is the symbolic errno (`EPERM`), as in Node's own errors; `message` names the call,
 * what it was for, and the errno's text.
 */
export class SystemCallError extends Error {
  readonly syscall: string;
  readonly errno: number;
  readonly code: string;

  constructor(syscall: string, errno: number, purpose: string) {
    super(systemCallFailure(syscall, errno, purpose));
    this.name = 'SystemCallError';
    this.syscall = syscall;
    this.errno = errno;
    this.code = errnoName(errno)[0];
  }
}

/** What `SystemCallError` says. */
export function systemCallFailure(syscall: string, errno: number, purpose: string): string {
  const [code, text] = errnoName(errno);
  return `${purpose}: ${syscall}: ${code} (${text})${hint(code)}`;
}

/** The runtime makes a new map of 80 entries at each call. */
let names: ReturnType<typeof getSystemErrorMap> | undefined;

/** libuv's map is keyed by negated errno; numbers it does not know keep their number. */
export function errnoName(errno: number): readonly [code: string, text: string] {
  names ??= getSystemErrorMap();
  return names.get(-errno) ?? [`E${errno}`, 'unknown error'];
}

function hint(code: string): string {
  return code === 'EPERM' ? '; CAP_NET_ADMIN and CAP_SYS_ADMIN are needed here' : '';
}
