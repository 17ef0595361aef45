import type { Timer } from '../../lifecycle/clock.ts';
import type { TlsFailure, TlsOutcome } from '../../native/tls-session-handle.ts';
import { errorMessage } from '../../observability/error-message.ts';
import { ByteQueue } from '../byte-queue.ts';
import { type ByteChannel, ChannelError, type ChannelHandler, type SocketEndpoint } from '../channel.ts';
import { closeGently, watchLinger } from '../close-gently.ts';
import type { SecureChannel } from '../engine.ts';
import type { HandshakeFacts } from '../peer-certificate.ts';
import type { ChannelRecords } from './channel-records.ts';
import type { Flushable } from './event-loop.ts';
import { transportError } from './native-error.ts';
import type { NativeThread } from './native-thread.ts';
import { OutputBuffer } from './output-buffer.ts';

/** From here on output does not wait for the end of the turn. */
const FLUSH_NOW_BYTES = 64 * 1024;

/** The peer ended without close_notify: its last words may be missing. */
const CUT_SHORT: TlsFailure = { kind: 'syscall', errno: 0, text: '' };

/**
 * TLS whose records travel in another byte channel (a tunnel), after the handshake. What the channel below takes bounds what
 * is encrypted, and what is read above bounds what is read below: in between there is never more than one delivery of it.
 */
export class TlsOverChannel implements SecureChannel, ChannelHandler, Flushable {
  readonly localAddress: SocketEndpoint;
  readonly remoteAddress: SocketEndpoint;
  readonly readsAreOwned = false;
  readonly alpn: string;
  readonly peerLeaf: Buffer;
  readonly peerUris: readonly string[];
  readonly peerNotAfter: number;
  readonly tlsVersion: string;
  readonly keyExchangeGroup: string;
  readonly #thread: NativeThread;
  readonly #below: ByteChannel;
  readonly #records: ChannelRecords;
  readonly #peer: SocketEndpoint;
  /** Plaintext, to be encrypted. */
  readonly #output: OutputBuffer;
  /** Plaintext that nobody wanted yet. */
  readonly #held = new ByteQueue();
  #handler: ChannelHandler | undefined;
  #paused = false;
  #delivering = false;
  /** What comes behind all plaintext: the peer's end, or why there is none. */
  #ending: 'end' | ChannelError | undefined;
  #readEnded = false;
  #writeEnding = false;
  #finished = false;
  #blocked = false;
  #queuedForFlush = false;
  #belowClosed = false;
  #linger: Timer | undefined;
  #closed = false;
  #error: ChannelError | undefined;

  /** @param peer whom messages name: the channel below may lead elsewhere first */
  constructor(
    thread: NativeThread,
    below: ByteChannel,
    records: ChannelRecords,
    peer: SocketEndpoint,
    facts: HandshakeFacts,
  ) {
    this.#thread = thread;
    this.#below = below;
    this.#records = records;
    this.#peer = peer;
    this.#output = new OutputBuffer(thread.chunks);
    this.localAddress = below.localAddress;
    this.remoteAddress = below.remoteAddress;
    this.alpn = facts.alpn;
    this.peerLeaf = facts.peerLeaf;
    this.peerUris = facts.peerUris;
    this.peerNotAfter = facts.peerNotAfter;
    this.tlsVersion = facts.tlsVersion;
    this.keyExchangeGroup = facts.keyExchangeGroup;
  }

  /** Right after the handshake: it may have come with more. */
  takeOver(): void {
    this.#below.pause();
    this.#below.setHandler(this);
    this.#came(this.#records.openRest(this.#onPlain));
  }

  // === as a byte channel ===

  get isRetiring(): boolean {
    return this.#below.isRetiring === true;
  }

  get bufferedBytes(): number {
    return this.#output.bytes + this.#below.bufferedBytes;
  }

  setHandler(handler: ChannelHandler): void {
    const isFirst = this.#handler === undefined;
    this.#handler = handler;
    if (isFirst) this.#thread.loop.defer(this.#closed ? this.#reportClose : this.#deliverHeld);
  }

  write(slice: Uint8Array): boolean {
    if (this.#writeEnding || this.#closed) return false;
    this.#output.append(slice);
    if (this.#output.bytes >= FLUSH_NOW_BYTES) this.#seal();
    if (this.#closed) return false;
    if (this.#output.bytes > 0) this.#flushLater();
    if (this.#records.isBlocked) this.#blocked = true;
    return !this.#blocked;
  }

  writeOwned(slice: Uint8Array): boolean {
    return this.write(slice);
  }

  end(): void {
    if (this.#writeEnding || this.#closed) return;
    this.#writeEnding = true;
    this.#flushLater();
  }

  abort(reason: ChannelError): void {
    if (this.#closed) return;
    this.#below.abort(reason);
    this.#close(reason);
  }

  pause(): void {
    // Behind the end nothing comes but that of the channel below, which is ours to see.
    if (this.#readEnded || this.#closed) return;
    this.#paused = true;
    this.#below.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#handler !== undefined) this.#thread.loop.defer(this.#deliverHeld);
  }

  // === for the channel below ===

  onData(slice: Buffer): void {
    // Behind close_notify nothing counts (RFC 8446 §6.1).
    if (this.#closed || this.#ending !== undefined) return;
    this.#came(this.#records.open(slice, this.#onPlain));
  }

  onEnd(): void {
    if (this.#closed || this.#ending !== undefined) return;
    this.#came(CUT_SHORT);
  }

  onDrain(): void {
    this.#records.isBlocked = false;
    this.flush();
  }

  onClose(error: ChannelError | undefined): void {
    this.#belowClosed = true;
    if (this.#closed) return;
    if (error !== undefined) this.#close(error);
    else this.#closeIfDone();
  }

  // === for the loop ===

  flush(): void {
    this.#queuedForFlush = false;
    if (this.#closed) return;
    this.#seal();
    if (this.#blocked && !this.#records.isBlocked) this.#drained();
    if (this.#closed || this.#output.bytes > 0) return;
    if (this.#writeEnding && !this.#finished) this.#finish();
  }

  // === reading ===

  readonly #onPlain = (slice: Buffer): void => {
    const handler = this.#handler;
    if (handler !== undefined && !this.#paused && !this.#delivering && this.#held.bytes === 0) {
      this.#give(handler, slice);
      return;
    }
    this.#held.append(slice);
    this.#below.pause();
  };

  #came(outcome: TlsOutcome): void {
    if (this.#closed || outcome === 'want_read' || outcome === 'want_write') return;
    this.#ending = outcome === 'closed' ? 'end' : transportError(outcome, 'connection with', this.#peer);
    if (!this.#paused && !this.#delivering && this.#held.bytes === 0) this.#deliverEnding();
  }

  readonly #deliverHeld = (): void => {
    const handler = this.#handler;
    if (handler === undefined || this.#delivering) return;
    this.#delivering = true;
    while (!this.#paused && !this.#closed) {
      const slice = this.#held.take();
      if (slice === undefined) break;
      this.#give(handler, slice);
      this.#held.release();
    }
    this.#delivering = false;
    if (this.#paused || this.#closed) return;
    this.#deliverEnding();
    if (!this.#closed) this.#below.resume();
  };

  #deliverEnding(): void {
    const handler = this.#handler;
    if (this.#ending === undefined || this.#readEnded || handler === undefined) return;
    if (this.#ending !== 'end') return this.#fail(this.#ending);
    this.#readEnded = true;
    this.#run(() => handler.onEnd());
    this.#closeIfDone();
  }

  #give(handler: ChannelHandler, slice: Buffer): void {
    this.#run(() => handler.onData(slice));
  }

  /** A fault of the receiver ends its connection, and not the one below that others share. */
  #run(call: () => void): void {
    try {
      call();
    } catch (error) {
      const text = errorMessage(error);
      const reason = new ChannelError('io', `internal error on a connection: ${text}`, { cause: error });
      this.#thread.onFault(reason);
      this.abort(reason);
    }
  }

  // === writing ===

  #seal(): void {
    while (this.#output.bytes > 0 && !this.#records.isBlocked) {
      const taken = this.#records.seal(this.#output.address, this.#output.length);
      if (typeof taken !== 'number') return this.#fail(transportError(taken, 'connection with', this.#peer));
      this.#output.consume(taken);
    }
  }

  #flushLater(): void {
    if (this.#queuedForFlush) return;
    this.#queuedForFlush = true;
    this.#thread.loop.flushLater(this);
  }

  #drained(): void {
    this.#blocked = false;
    this.#run(() => this.#handler?.onDrain());
  }

  #finish(): void {
    const failure = this.#records.closeNotify();
    if (failure !== undefined) return this.#fail(transportError(failure, 'connection with', this.#peer));
    this.#finished = true;
    this.#below.end();
    this.#closeIfDone();
  }

  // === the end ===

  #closeIfDone(): void {
    if (this.#closed || !this.#readEnded || !this.#finished) return;
    if (this.#belowClosed) this.#close(undefined);
    else if (this.#linger === undefined) this.#lingerOn();
  }

  /** Both sides have said all, in TLS: the peer has still to end the channel below. */
  #lingerOn(): void {
    this.#linger = watchLinger(this.#below, this.#thread.clock, () => {
      this.#below.abort(new ChannelError('timeout', 'the peer has ended TLS and not the connection'));
      this.#close(undefined);
    });
  }

  #fail(error: ChannelError): void {
    if (this.#closed) return;
    if (!this.#belowClosed) closeGently(this.#below, error, this.#thread.clock);
    this.#close(error);
  }

  #close(error: ChannelError | undefined): void {
    this.#closed = true;
    this.#error = error;
    this.#linger?.cancel();
    this.#output.clear();
    this.#held.clear();
    this.#records.free();
    // After the call that led here, which may be one of the handler's own.
    if (this.#handler !== undefined) this.#thread.loop.defer(this.#reportClose);
  }

  readonly #reportClose = (): void => {
    this.#handler?.onClose(this.#error);
  };
}
