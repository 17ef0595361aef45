import { errnoNow, Errno } from '../../native/errno.ts';
import type { NativeMemory } from '../../native/native-memory.ts';
import type { RecordStage } from '../../native/record-stage.ts';
import { receive, send, sendSlice, shutdownWrites } from '../../native/stream-socket.ts';
import type { TlsFailure, TlsOutcome, TlsSessionHandle } from '../../native/tls-session-handle.ts';

import { type ChunkPool, OutputBuffer } from './output-buffer.ts';
import { PLAIN_READ_BYTES, READ_BYTES } from './read-memory.ts';

/** No bytes now: the kernel will say when. */
export const WOULD_BLOCK = -1;
/** The connection failed: `failure` tells why. */
export const FAILED = -2;

/** Moves bytes between memory and one connected, non-blocking socket. All results: bytes, `WOULD_BLOCK` or `FAILED`. */
export interface Transport {
  /** Bytes are on the socket as they are: the kernel can move them. */
  readonly isPlain: boolean;
  /** Set when a call answered `FAILED`. */
  readonly failure: TlsFailure | undefined;
  /** After `receive`: whether there may be more at once, so that no event will tell of it. */
  readonly mayHaveMore: boolean;
  /** Into `memory` from `offset`, up to its end. 0: the peer has ended its direction. */
  receive(memory: NativeMemory, offset: number): number;
  send(address: bigint, length: number): number;
  /** Of memory that is valid during the call alone. Undefined: this transport has no better way than a copy. */
  sendSlice: ((slice: Uint8Array) => number) | undefined;
  /** Bytes that `send` has taken and the kernel has not: the channel is not idle before they are gone. */
  readonly heldBytes: number;
  /** Sends what is held. 0 when nothing is left of it. */
  sendHeld(): number;
  /** Ends our direction. 0 when that is done. `closesNext`: the socket is closed then, which sends our FIN as well. */
  finish(closesNext: boolean): number;
  /** Frees what is not the socket. */
  release(): void;
}

/** Plain TCP. */
export class TcpTransport implements Transport {
  readonly isPlain = true;
  failure: TlsFailure | undefined;
  mayHaveMore = false;
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  receive(memory: NativeMemory, offset: number): number {
    const wanted = Math.min(memory.size - offset, PLAIN_READ_BYTES);
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

  readonly heldBytes = 0;

  sendHeld(): number {
    return 0;
  }

  finish(closesNext: boolean): number {
    return closesNext || shutdownWrites(this.#fd) === 0 ? 0 : this.#failed();
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
const GATHER_BYTES = READ_BYTES;
/** The largest plaintext of a record (RFC 8446 §5.1): with less room than this a read could not take a whole one. */
const RECORD_BYTES = 16 * 1024;
/**
 * Ciphertext that has come since the socket was empty between two records. For the next record the session asks for all
 * that its buffer holds (130 KB): with less than this the kernel had no more, so that the socket is empty again. Above, or
 * when the rest of a record was read, which the session asks for to the byte, the socket has to be asked.
 */
const SURELY_EMPTIED_BYTES = 16 * 1024;
const NEVER = -1;

/** From here on a write is several records, which leave together. */
const STAGED_FROM_BYTES = 17 * 1024;

/** TLS over TCP, after the handshake. */
export class TlsTransport implements Transport {
  readonly isPlain = false;
  failure: TlsFailure | undefined;
  mayHaveMore = false;
  readonly sendSlice = undefined;
  readonly #fd: number;
  readonly #session: TlsSessionHandle;
  readonly #stage: RecordStage;
  /** Records that the kernel has not taken yet. Nothing is encrypted before they are gone. */
  readonly #ciphertext: OutputBuffer;
  /** OpenSSL holds a record that went out in part: the same write has to be tried again. */
  #isWriteUnfinished = false;
  #notified = false;
  /** The peer has sent close_notify. */
  #ended = false;
  #released = false;
  /** `bytesReceived` when the session last held whole records only, and had delivered them. */
  #wholeAt = NEVER;
  /** `bytesReceived` when, besides, the socket was empty; NEVER once a read has ended within a record. */
  #emptyAt = NEVER;

  constructor(fd: number, session: TlsSessionHandle, stage: RecordStage, chunks: ChunkPool) {
    this.#fd = fd;
    this.#session = session;
    this.#stage = stage;
    this.#ciphertext = new OutputBuffer(chunks);
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

  /** Only when nothing is pending in the session. */
  #isSurelyEmpty(): boolean {
    const received = this.#session.bytesReceived;
    this.#wholeAt = received;
    if (this.#emptyAt === NEVER || (received - this.#emptyAt) >>> 0 >= SURELY_EMPTIED_BYTES) return false;
    this.#emptyAt = received;
    return true;
  }

  send(address: bigint, length: number): number {
    if (this.#released) return FAILED;
    const blocked = this.sendHeld();
    if (blocked < 0) return blocked;
    if (length >= STAGED_FROM_BYTES && !this.#isWriteUnfinished) return this.#sendStaged(address, length);
    const count = this.#session.write(address, length);
    this.#isWriteUnfinished = count <= 0;
    return count > 0 ? count : this.#failed(this.#session.outcome(count));
  }

  /** What the kernel does not take at once is kept: it is encrypted already, and has its place in the stream. */
  #sendStaged(address: bigint, length: number): number {
    const taken = this.#session.writeStaged(this.#stage, address, length);
    if (taken <= 0) return this.#failed(this.#session.outcome(taken));
    const staged = this.#stage.take();
    const sent = send(this.#fd, this.#stage.address, staged);
    const failed = sent < 0 ? this.#failed(socketOutcome(errnoNow())) : 0;
    if (failed !== FAILED && sent < staged)
      this.#ciphertext.appendFrom(this.#stage.address, Math.max(0, sent), staged);
    this.#stage.clear(staged);
    return failed === FAILED ? FAILED : taken;
  }

  get heldBytes(): number {
    return this.#ciphertext.bytes;
  }

  sendHeld(): number {
    while (this.#ciphertext.bytes > 0) {
      const sent = send(this.#fd, this.#ciphertext.address, this.#ciphertext.length);
      if (sent < 0) return this.#failed(socketOutcome(errnoNow()));
      this.#ciphertext.consume(sent);
    }
    return 0;
  }

  finish(closesNext: boolean): number {
    if (this.#released) return FAILED;
    const blocked = this.sendHeld();
    if (blocked < 0) return blocked;
    if (!this.#notified) {
      const outcome = this.#session.closeNotify();
      if (outcome !== undefined) return this.#failed(outcome);
      this.#notified = true;
    }
    return closesNext || shutdownWrites(this.#fd) === 0
      ? 0
      : this.#failed({ kind: 'syscall', errno: errnoNow(), text: '' });
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#ciphertext.clear();
    this.#session.free();
  }

  /** No more records now; `gathered` bytes were read before that. */
  #stopped(result: number, gathered: number): number {
    const outcome = this.#session.outcome(result);
    // What ended it comes up again with the next read, after the bytes before it have been delivered.
    this.mayHaveMore = outcome !== 'want_read' && outcome !== 'want_write';
    if (!this.mayHaveMore)
      this.#emptyAt = this.#session.bytesReceived === this.#wholeAt ? this.#wholeAt : NEVER;
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

function socketOutcome(errno: number): TlsOutcome {
  const isBusy = errno === Errno.EAGAIN || errno === Errno.EINTR;
  return isBusy ? 'want_write' : { kind: 'syscall', errno, text: '' };
}
