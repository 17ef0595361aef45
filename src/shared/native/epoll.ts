import { checked, libc } from './libc.ts';
import { errnoNow, Errno } from './errno.ts';
import { NativeMemory } from './native-memory.ts';
import { EPOLL_CLOEXEC, EpollOp, linuxAbi } from './platform.ts';
import { closeFd } from './socket.ts';
import { SystemCallError } from './system-error.ts';

/** Events taken from the kernel in one call. */
const MAX_EVENTS = 256;

/** A set of descriptors that the kernel watches. epoll(7) */
export class Epoll {
  readonly fd: number;
  readonly #events: NativeMemory;
  readonly #words: Uint32Array;
  readonly #request: NativeMemory;
  readonly #requestWords: Uint32Array;
  readonly #stride: number;
  readonly #dataWord: number;

  constructor() {
    const abi = linuxAbi();
    this.#stride = abi.epollEventWords;
    this.#dataWord = abi.epollDataWord;
    this.#events = new NativeMemory(MAX_EVENTS * this.#stride * 4);
    this.#words = words(this.#events);
    this.#request = new NativeMemory(this.#stride * 4);
    this.#requestWords = words(this.#request);
    this.fd = checked(libc().epoll_create1(EPOLL_CLOEXEC), 'epoll_create1', 'make an event loop');
  }

  /** Throws `SystemCallError`: EEXIST, ENOMEM, ENOSPC (limit of watches), EPERM (a file). epoll_ctl(2) */
  add(fd: number, flags: number, slot: number, generation: number): void {
    const request = this.#requestWords;
    request[0] = flags;
    request[this.#dataWord] = slot;
    request[this.#dataWord + 1] = generation;
    const result = libc().epoll_ctl(this.fd, EpollOp.add, fd, this.#request.address);
    checked(result, 'epoll_ctl', `watch descriptor ${fd}`);
  }

  /** Of a descriptor that lives on elsewhere; one that is closed leaves the set by itself. */
  remove(fd: number): void {
    libc().epoll_ctl(this.fd, EpollOp.del, fd, this.#request.address);
  }

  /**
   * Waits up to `timeoutMs` (-1: for ever), then hands over what is ready until the next call. epoll_wait(2)
   * @returns the number of events; 0 also when a signal came
   */
  wait(timeoutMs: number): number {
    const count = libc().epoll_wait(this.fd, this.#events.address, MAX_EVENTS, timeoutMs);
    if (count >= 0) return count;
    const errno = errnoNow();
    if (errno === Errno.EINTR) return 0;
    throw new SystemCallError('epoll_wait', errno, 'wait for events');
  }

  flagsOf(index: number): number {
    return this.#words[index * this.#stride] ?? 0;
  }

  slotOf(index: number): number {
    return this.#words[index * this.#stride + this.#dataWord] ?? 0;
  }

  generationOf(index: number): number {
    return this.#words[index * this.#stride + this.#dataWord + 1] ?? 0;
  }

  close(): void {
    closeFd(this.fd);
  }
}

function words(memory: NativeMemory): Uint32Array {
  const { buffer, byteOffset, length } = memory.bytes;
  return new Uint32Array(buffer, byteOffset, length / 4);
}
