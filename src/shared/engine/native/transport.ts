import { errnoNow, Errno } from '../../native/errno.ts';
import type { NativeMemory } from '../../native/native-memory.ts';
import { FEED_BYTES, type RecordFeed } from '../../native/record-feed.ts';
import { type RecordStage, STAGED_BYTES } from '../../native/record-stage.ts';
import { receive, send, sendSlice, shutdownWrites } from '../../native/stream-socket.ts';
import type { TlsFailure, TlsOutcome, TlsSessionHandle } from '../../native/tls-session-handle.ts';

import type { ChunkPool } from '../chunk-pool.ts';
import { OutputBuffer } from './output-buffer.ts';
import { PLAIN_READ_BYTES } from './read-memory.ts';

/** No bytes now: the kernel will say when. */
export const WOULD_BLOCK = -1;
/** The connection failed: `failure` tells why. */
export const FAILED = -2;
/** Bytes came that bring none yet: there may be more. */
export const NOTHING_YET = -3;

/** Moves bytes between memory and one connected, non-blocking socket. All results: bytes, or one of the above. */
export interface Transport {
  /** Bytes are on the socket as they are: the kernel can move them. */
  readonly isPlain: boolean;
  /** Set when a call answered `FAILED`. */
  readonly failure: TlsFailure | undefined;
  /** After `receive`: whether there may be more at once, so that no event will tell of it. */
  readonly mayHaveMore: boolean;
  /** Bytes that the last `receive` took from the socket: its share of a turn, whatever they brought. */
  readonly received: number;
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
  received = 0;
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  receive(memory: NativeMemory, offset: number): number {
    const wanted = Math.min(memory.size - offset, PLAIN_READ_BYTES);
    const count = receive(this.#fd, memory.at(offset), wanted);
    // Less than asked for: the kernel has no more, and will tell of what comes (epoll(7), edge-triggered).
    this.mayHaveMore = count === wanted;
    this.received = Math.max(0, count);
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

/** What sessions of one thread share. */
export interface TlsMemory {
  readonly feed: RecordFeed;
  readonly stage: RecordStage;
  readonly chunks: ChunkPool<NativeMemory>;
}

/** TLS over TCP, after the handshake. Records pass through memory of the thread, which is empty between calls. */
export class TlsTransport implements Transport {
  readonly isPlain = false;
  failure: TlsFailure | undefined;
  mayHaveMore = false;
  received = 0;
  readonly sendSlice = undefined;
  readonly #fd: number;
  readonly #session: TlsSessionHandle;
  readonly #feed: RecordFeed;
  readonly #stage: RecordStage;
  /** Records that the kernel has not taken yet. Nothing is encrypted before they are gone. */
  readonly #ciphertext: OutputBuffer;
  /** close_notify has left the session. */
  #notified = false;
  /** The peer has sent close_notify. */
  #ended = false;
  #released = false;

  constructor(fd: number, session: TlsSessionHandle, { feed, stage, chunks }: TlsMemory) {
    this.#fd = fd;
    this.#session = session;
    this.#feed = feed;
    this.#stage = stage;
    this.#ciphertext = new OutputBuffer(chunks);
    session.useMemory(feed, stage);
  }

  /**
   * All records that one read of the socket completes. `memory` has room for `FED_PLAIN_BYTES` behind `offset`. Where none became
   * whole the socket is to be asked again: its end, which the kernel has told of, may be all that is left.
   */
  receive(memory: NativeMemory, offset: number): number {
    this.received = 0;
    if (this.#released || this.failure !== undefined) return FAILED;
    if (this.#ended) return 0;
    const count = receive(this.#fd, this.#feed.memory.address, FEED_BYTES);
    if (count <= 0) return this.#failed(count < 0 ? socketOutcome(errnoNow()) : CUT_SHORT);
    this.received = count;
    this.#feed.offer(count);
    const bytes = this.#open(memory, offset);
    this.mayHaveMore = count === FEED_BYTES || this.#ended || this.failure !== undefined;
    return bytes === 0 ? NOTHING_YET : bytes;
  }

  /** Decrypts what was fed. What ended it comes up with the next `receive`, after the bytes before it. @returns bytes */
  #open(memory: NativeMemory, offset: number): number {
    const bytes = this.#session.readRecords(this.#feed, memory.at(offset), memory.size - offset);
    const end = this.#session.readEnd;
    if (end === 'closed') this.#ended = true;
    else if (end !== undefined) this.failure ??= end;
    // What it has to say to that, also between records that it hands out: its part of a change of keys, or an alert.
    this.#sendStaged();
    return bytes;
  }

  send(address: bigint, length: number): number {
    if (this.#released) return FAILED;
    const blocked = this.sendHeld();
    if (blocked < 0) return blocked;
    const taken = this.#session.writeRecords(address, length);
    if (taken <= 0) return this.#failed(this.#session.outcome(taken));
    return this.#sendStaged() === FAILED ? FAILED : taken;
  }

  #sendStaged(): number {
    const staged = this.#stage.take();
    if (staged === 0) return 0;
    // Nothing follows close_notify (RFC 8446 §6.1), whatever the session would still answer.
    const result = this.#notified ? 0 : this.#sendOrKeep(staged);
    this.#stage.clear(staged);
    return result;
  }

  /** What the kernel does not take at once is kept: it is encrypted already, and has its place in the stream. */
  #sendOrKeep(staged: number): number {
    const { address } = this.#stage;
    const held = this.#ciphertext.bytes;
    if (held > MAX_HELD_BYTES) return this.#failed(NEVER_READS);
    const sent = held === 0 ? send(this.#fd, address, staged) : 0;
    if (sent < 0 && this.#failed(socketOutcome(errnoNow())) === FAILED) return FAILED;
    if (sent < staged) this.#ciphertext.appendFrom(address, Math.max(0, sent), staged);
    return 0;
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
      const sent = this.#sendStaged();
      this.#notified = true;
      if (sent === FAILED) return FAILED;
    }
    const held = this.sendHeld();
    if (held < 0) return held;
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

  #failed(outcome: TlsOutcome): number {
    if (outcome === 'want_read' || outcome === 'want_write') return WOULD_BLOCK;
    this.failure ??=
      outcome === 'closed' ? { kind: 'protocol', errno: 0, text: 'TLS was shut down' } : outcome;
    return FAILED;
  }
}

/** The socket ended without close_notify. */
const CUT_SHORT: TlsFailure = { kind: 'syscall', errno: 0, text: '' };

/** What was sent last, and behind it answers to changes of keys, for which a peer may ask while it reads nothing. */
const MAX_HELD_BYTES = 2 * STAGED_BYTES;

const NEVER_READS: TlsFailure = {
  kind: 'protocol',
  errno: 0,
  text: 'the peer asks for new keys again and again, and reads no answer',
};

function socketOutcome(errno: number): TlsOutcome {
  const isBusy = errno === Errno.EAGAIN || errno === Errno.EINTR;
  return isBusy ? 'want_write' : { kind: 'syscall', errno, text: '' };
}
