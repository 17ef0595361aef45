import { checked, libc } from './libc.ts';
import { callMemory } from './call-memory.ts';
import { FcntlCommand, PIPE_FLAGS, SPLICE_FLAGS } from './platform.ts';
import { receive } from './stream-socket.ts';

/**
 * A pipe through which bytes go from one socket to another without being copied into this process. Empty between uses, so
 * that one serves all connections of a thread. The owner closes both descriptors. pipe(7), splice(2)
 */
export class Pipe {
  readonly readFd: number;
  readonly writeFd: number;

  /** Holds `bytes` where the kernel lets it, and less where not. Throws `SystemCallError`. pipe2(2), F_SETPIPE_SZ */
  constructor(bytes: number) {
    const { value } = callMemory();
    checked(libc().pipe2(value.address, PIPE_FLAGS), 'pipe2', 'open a pipe');
    this.readFd = value.bytes.readInt32LE(0);
    this.writeFd = value.bytes.readInt32LE(4);
    libc().fcntl(this.writeFd, FcntlCommand.setPipeSize, BigInt(bytes));
  }

  /** From a socket into the pipe. @returns bytes, 0 at the end of the stream, or -1 */
  fill(fd: number, length: number): number {
    return libc().splice(fd, 0n, this.writeFd, 0n, length, SPLICE_FLAGS);
  }

  /** From the pipe to a socket. @returns bytes, or -1 */
  empty(fd: number, length: number): number {
    return libc().splice(this.readFd, 0n, fd, 0n, length, SPLICE_FLAGS);
  }

  /** From the pipe to memory, which must be that long. @returns bytes, or -1 */
  read(address: bigint, length: number): number {
    return receive(this.readFd, address, length);
  }
}
