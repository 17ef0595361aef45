import { FEED_BYTES } from '../../native/record-feed.ts';
import type { TlsFailure, TlsOutcome, TlsSessionHandle, TlsWire } from '../../native/tls-session-handle.ts';
import type { ByteChannel } from '../channel.ts';
import type { NativeThread } from './native-thread.ts';

/** Where sessions of this thread read and write that have no socket. */
export function memoryWire({ feed, stage }: NativeThread): TlsWire {
  return { feed, stage };
}

/**
 * The records of one session in a byte channel. They pass through memory of the thread, which is empty between calls: a
 * connection that is idle holds none.
 */
export class ChannelRecords {
  /** The channel wants no more until it drains. */
  isBlocked = false;
  readonly #thread: NativeThread;
  readonly #channel: ByteChannel;
  readonly #session: TlsSessionHandle;
  #freed = false;

  /** @param session over the `memoryWire` of the thread; freed here */
  constructor(thread: NativeThread, channel: ByteChannel, session: TlsSessionHandle) {
    this.#thread = thread;
    this.#channel = channel;
    this.#session = session;
  }

  get session(): TlsSessionHandle {
    return this.#session;
  }

  /** A step of the handshake, with at most `FEED_BYTES` that have come. @returns undefined once it is done */
  handshake(ciphertext: Uint8Array | undefined): TlsOutcome | undefined {
    if (ciphertext !== undefined) this.#thread.feed.put(ciphertext);
    let outcome = this.#session.handshake();
    // A flight that is longer than the stage.
    while (this.#send() > 0 && outcome === 'want_write') outcome = this.#session.handshake();
    return outcome;
  }

  /** What came with the end of the handshake: right after it. As `open` */
  openRest(onPlain: (slice: Buffer) => void): TlsOutcome {
    return this.#thread.feed.isEmpty ? 'want_read' : this.#read(onPlain);
  }

  /**
   * Decrypts. `onPlain` hears what has become whole; the slice is valid during the call, in which the session may be freed.
   * @returns 'want_read', or why nothing more will come
   */
  open(ciphertext: Uint8Array, onPlain: (slice: Buffer) => void): TlsOutcome {
    let outcome: TlsOutcome = 'want_read';
    for (let at = 0; at < ciphertext.length && outcome === 'want_read' && !this.#freed; at += FEED_BYTES) {
      this.#thread.feed.put(ciphertext.subarray(at, at + FEED_BYTES));
      outcome = this.#read(onPlain);
    }
    return outcome;
  }

  #read(onPlain: (slice: Buffer) => void): TlsOutcome {
    const { records, feed } = this.#thread;
    const memory = records.takePlain();
    const bytes = this.#session.readRecords(feed, memory.address, memory.size);
    const end = this.#session.readEnd ?? 'want_read';
    // An alert, or its part of a change of keys.
    this.#send();
    if (bytes > 0) onPlain(memory.bytes.subarray(0, bytes));
    records.givePlain(memory);
    return end;
  }

  /** Encrypts and sends, what the stage holds at most. @returns bytes taken, or why none */
  seal(address: bigint, length: number): number | TlsFailure {
    const taken = this.#session.writeRecords(address, length);
    if (taken <= 0) return failureOf(this.#session.outcome(taken));
    this.#send();
    return taken;
  }

  /** @returns why there is none */
  closeNotify(): TlsFailure | undefined {
    const outcome = this.#session.closeNotify();
    this.#send();
    return outcome === undefined ? undefined : failureOf(outcome);
  }

  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    this.#thread.feed.clear();
    this.#session.free();
  }

  /** @returns how much there was */
  #send(): number {
    const { ciphertext } = this.#thread.records;
    const count = this.#thread.stage.moveTo(ciphertext);
    if (count > 0 && !this.#channel.write(ciphertext.bytes.subarray(0, count))) this.isBlocked = true;
    return count;
  }
}

function failureOf(outcome: TlsOutcome): TlsFailure {
  return typeof outcome === 'object'
    ? outcome
    : {
        kind: 'protocol',
        errno: 0,
        text: outcome === 'closed' ? 'TLS was shut down' : `TLS stands still (${outcome})`,
      };
}
