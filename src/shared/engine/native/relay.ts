import { errnoNow, Errno } from '../../native/errno.ts';
import type { Pipe } from '../../native/pipe.ts';
import type { TlsFailure } from '../../native/tls-session-handle.ts';
import type { NativeThread } from './native-thread.ts';
import { READ_BYTES, READ_OFFSET } from './read-memory.ts';
import { FAILED, WOULD_BLOCK } from './transport.ts';

/** Answer of `move`. */
export const UNABLE = -3;

/** Where the bytes go. */
export interface RelayTarget {
  /** It takes bytes at once: nothing is queued before them. -1: not now. */
  readonly relayFd: number;
  /** The kernel took less than it was offered, and will say when there is room. */
  onRelayBlocked(): void;
}

export interface RelayEvents {
  /** Bytes have gone to the target. */
  onRelayed(bytes: number): void;
  /** Bytes that the target did not take; valid during the call. */
  onRest(slice: Buffer): void;
}

/**
 * Moves what arrives on one socket to another inside the kernel (splice(2)). Worth its two calls for bulk only: it begins when
 * a read has filled its buffer and stops when the socket is empty.
 */
export class Relay {
  readonly #thread: NativeThread;
  readonly #target: RelayTarget;
  readonly #events: RelayEvents;
  #isBulk = false;
  /** Set when `move` answered FAILED. */
  failure: TlsFailure | undefined;

  constructor(thread: NativeThread, target: RelayTarget, events: RelayEvents) {
    this.#thread = thread;
    this.#target = target;
    this.#events = events;
  }

  /** A read of the socket took as much as it had room for. */
  onFullRead(): void {
    this.#isBulk = true;
  }

  get isDue(): boolean {
    return this.#isBulk && this.#target.relayFd >= 0;
  }

  /** @returns bytes taken from the socket, 0 at its end, WOULD_BLOCK, FAILED, or UNABLE: it has to be read */
  move(fd: number): number {
    const { pipe } = this.#thread;
    if (pipe === undefined) return UNABLE;
    const taken = pipe.fill(fd, READ_BYTES);
    if (taken <= 0) return taken === 0 ? 0 : this.#stopped(errnoNow());
    const moved = this.#empty(pipe, taken);
    if (moved > 0) this.#events.onRelayed(moved);
    if (moved < taken) this.#rest(pipe, taken - moved);
    return taken;
  }

  #stopped(errno: number): number {
    // Not with this kind of descriptor, or not allowed here; nothing was taken.
    if (errno === Errno.EINVAL || errno === Errno.EPERM || errno === Errno.ENOSYS) return UNABLE;
    if (isBusy(errno)) {
      this.#isBulk = false;
      return WOULD_BLOCK;
    }
    // The kernel tells of a reset once: a read after this would find an orderly end.
    this.failure = { kind: 'syscall', errno, text: '' };
    return FAILED;
  }

  #empty(pipe: Pipe, taken: number): number {
    let moved = 0;
    while (moved < taken) {
      const count = pipe.empty(this.#target.relayFd, taken - moved);
      if (count <= 0) {
        // Before anything else can change errno.
        if (isBusy(errnoNow())) this.#target.onRelayBlocked();
        break;
      }
      moved += count;
    }
    return moved;
  }

  /** The pipe is empty again afterwards: it is everybody's. What is wrong with the target it says itself when it is written to. */
  #rest(pipe: Pipe, bytes: number): void {
    const { readMemory } = this.#thread;
    let at = READ_OFFSET;
    for (const end = READ_OFFSET + bytes; at < end; ) {
      const count = pipe.read(readMemory.at(at), end - at);
      if (count <= 0) throw new Error(`${end - at} bytes are lost in a pipe`);
      at += count;
    }
    this.#events.onRest(readMemory.bytes.subarray(READ_OFFSET, at));
  }
}

function isBusy(errno: number): boolean {
  return errno === Errno.EAGAIN || errno === Errno.EINTR;
}
