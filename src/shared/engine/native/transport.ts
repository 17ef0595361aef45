import { errnoNow, Errno } from '../../native/errno.ts';
import type { NativeMemory } from '../../native/native-memory.ts';
import { receive, send, sendSlice, shutdownWrites } from '../../native/stream-socket.ts';
import type { TlsFailure, TlsOutcome, TlsSessionHandle } from '../../native/tls-session-handle.ts';

/** No bytes now: the kernel will say when. */
export const WOULD_BLOCK = -1;
/** The connection failed: `failure` tells why. */
export const FAILED = -2;

/** Moves bytes between memory and one connected, non-blocking socket. All results: bytes, `WOULD_BLOCK` or `FAILED`. */
export interface Transport {
  /** Set when a call answered `FAILED`. */
  readonly failure: TlsFailure | undefined;
  /** After `receive`: whether there may be more at once, so that no event will tell of it. */
  readonly mayHaveMore: boolean;
  /** Into `memory` from `offset`, up to its end. 0: the peer has ended its direction. */
  receive(memory: NativeMemory, offset: number): number;
  send(address: bigint, length: number): number;
  /** Of memory that is valid during the call alone. Undefined: this transport has no better way than a copy. */
  sendSlice: ((slice: Uint8Array) => number) | undefined;
  /** Ends our direction. 0 when that is done. */
  finish(): number;
  /** Frees what is not the socket. */
  release(): void;
}

/** Plain TCP. */
export class TcpTransport implements Transport {
  failure: TlsFailure | undefined;
  mayHaveMore = false;
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  receive(memory: NativeMemory, offset: number): number {
    const wanted = memory.size - offset;
    const count = receive(this.#fd, memory.at(offset), wanted);
    // Less than asked for: the kernel has no more, and will tell of what comes (epoll(7), edge-triggered).
    this.mayHaveMore = count === wanted;
    return count >= 0 ? count : this.#failed();
  }

  send(address: bigint, length: number): number {
    const count = send(this.#fd, address, length);
    return count >= 0 ? count : this.#failed();
  }

  readonly sendSlice = (slice: Uint8Array): number => {
    const count = sendSlice(this.#fd, slice);
    return count >= 0 ? count : this.#failed();
  };

  finish(): number {
    return shutdownWrites(this.#fd) === 0 ? 0 : this.#failed();
  }

  release(): void {}

  #failed(): number {
    const errno = errnoNow();
    if (errno === Errno.EAGAIN || errno === Errno.EINTR) return WOULD_BLOCK;
    this.failure = { kind: 'syscall', errno, text: '' };
    return FAILED;
  }
}

/** Enough plaintext for one turn of a channel: the receiver works on it while it is in the cache. */
const GATHER_BYTES = 64 * 1024;
/** The largest plaintext of a record (RFC 8446 §5.1): with less room than this a read could not take a whole one. */
const RECORD_BYTES = 16 * 1024;
/**
 * Ciphertext that has come since the socket was last known to be empty. Below this no system call can have filled the
 * session's buffer (66 KB, from its beginning), so that the socket is empty again; above, it has to be asked.
 */
const SURELY_EMPTIED_BYTES = 16 * 1024;

/** TLS over TCP, after the handshake. */
export class TlsTransport implements Transport {
  failure: TlsFailure | undefined;
  mayHaveMore = false;
  readonly sendSlice = undefined;
  readonly #fd: number;
  readonly #session: TlsSessionHandle;
  #notified = false;
  /** The peer has sent close_notify. */
  #ended = false;
  #released = false;
  /** `bytesReceived` when the socket was last known to be empty. */
  #emptyAt = 0;

  constructor(fd: number, session: TlsSessionHandle) {
    this.#fd = fd;
    this.#session = session;
  }

  /** Gathers several records, since each `receive` costs its receiver a call. */
  receive(memory: NativeMemory, offset: number): number {
    if (this.#released) return FAILED;
    if (this.#ended) return 0;
    let end = offset;
    for (;;) {
      const count = this.#session.read(memory.at(end), memory.size - end);
      if (count <= 0) return this.#stopped(count, end - offset);
      end += count;
      const isFull = end - offset >= GATHER_BYTES || memory.size - end < RECORD_BYTES;
      if (isFull || !this.#session.hasPending) break;
    }
    this.mayHaveMore = this.#session.hasPending || !this.#isSurelyEmpty();
    return end - offset;
  }

  #isSurelyEmpty(): boolean {
    const received = this.#session.bytesReceived;
    if ((received - this.#emptyAt) >>> 0 >= SURELY_EMPTIED_BYTES) return false;
    this.#emptyAt = received;
    return true;
  }

  send(address: bigint, length: number): number {
    if (this.#released) return FAILED;
    const count = this.#session.write(address, length);
    return count > 0 ? count : this.#failed(this.#session.outcome(count));
  }

  finish(): number {
    if (this.#released) return FAILED;
    if (!this.#notified) {
      const outcome = this.#session.closeNotify();
      if (outcome !== undefined) return this.#failed(outcome);
      this.#notified = true;
    }
    return shutdownWrites(this.#fd) === 0
      ? 0
      : this.#failed({ kind: 'syscall', errno: errnoNow(), text: '' });
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#session.free();
  }

  /** No more records now; `gathered` bytes were read before that. */
  #stopped(result: number, gathered: number): number {
    const outcome = this.#session.outcome(result);
    // What ended it comes up again with the next read, after the bytes before it have been delivered.
    this.mayHaveMore = outcome !== 'want_read' && outcome !== 'want_write';
    if (!this.mayHaveMore) this.#emptyAt = this.#session.bytesReceived;
    if (gathered > 0) {
      if (outcome === 'closed') this.#ended = true;
      else if (typeof outcome === 'object') this.#fail(outcome);
      return gathered;
    }
    if (outcome === 'closed') {
      this.#ended = true;
      return 0;
    }
    if (this.failure !== undefined) return FAILED;
    return this.#failed(outcome);
  }

  #failed(outcome: TlsOutcome): number {
    if (outcome === 'want_read' || outcome === 'want_write') return WOULD_BLOCK;
    this.#fail(outcome === 'closed' ? { kind: 'protocol', errno: 0, text: 'TLS was shut down' } : outcome);
    return FAILED;
  }

  #fail(failure: TlsFailure): void {
    this.failure ??= failure;
  }
}
