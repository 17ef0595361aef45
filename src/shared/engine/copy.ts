import type { Clock, Timer } from '../lifecycle/clock.ts';
import { type ByteChannel, ChannelError, type ChannelHandler, type RelayHandler } from './channel.ts';

const DEFAULT_HALF_CLOSED_TIMEOUT_MS = 3_600_000;
/**
 * Inactivity is found by comparing byte counters this many times per timeout, so that a chunk costs neither a clock
 * reading nor a timer; the timeout is late by at most one part.
 */
const CHECKS_PER_TIMEOUT = 4;

export interface CopyOptions {
  readonly clock: Clock;
  /** One direction ended and nothing moves the other way for this long: both are aborted. Default 1 h; 0 is never. */
  readonly halfClosedTimeoutMs?: number;
  /** Nothing moves either way for this long: both are aborted. 0 (default) is never. */
  readonly idleTimeoutMs?: number;
  /** Once, when both channels are closed. */
  readonly onClose: (result: CopyResult) => void;
}

export interface CopyResult {
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Undefined when both directions ended in order. */
  readonly error: ChannelError | undefined;
  /** Whose end it was: the side that failed first, or `local` for `abort` and timeouts; undefined with `error`. */
  readonly closedBy: CopySide | 'local' | undefined;
}

export type CopySide = 'downstream' | 'upstream';

/** A running copy; the counters are live. */
export interface BidirectionalCopy {
  /** downstream → upstream. */
  readonly bytesSent: number;
  /** upstream → downstream. */
  readonly bytesReceived: number;
  /** Aborts both sides (policy change, drain deadline). Idempotent. */
  abort(reason: ChannelError): void;
}

/**
 * Joins two channels until both are closed; takes over their handlers. Each direction is throttled by its receiver alone
 * and keeps its own half-close; an abort of one side becomes an abort (RST) of the other.
 */
export function copyBidirectional(
  downstream: ByteChannel,
  upstream: ByteChannel,
  options: CopyOptions,
): BidirectionalCopy {
  const copy = new Copy(downstream, upstream, options);
  copy.start();
  return copy;
}

class Copy implements BidirectionalCopy {
  readonly #options: CopyOptions;
  readonly #downstream: CopyEnd;
  readonly #upstream: CopyEnd;
  #timer: Timer | undefined;
  #checkedBytes = 0;
  #quietChecks = 0;
  #error: ChannelError | undefined;
  #closedBy: CopyResult['closedBy'];

  constructor(downstream: ByteChannel, upstream: ByteChannel, options: CopyOptions) {
    this.#options = options;
    this.#downstream = new CopyEnd('downstream', downstream, upstream, this);
    this.#upstream = new CopyEnd('upstream', upstream, downstream, this);
  }

  start(): void {
    this.#watch(this.#options.idleTimeoutMs ?? 0, 'idle');
    this.#downstream.start();
    this.#upstream.start();
  }

  get bytesSent(): number {
    return this.#downstream.bytes;
  }

  get bytesReceived(): number {
    return this.#upstream.bytes;
  }

  abort(reason: ChannelError): void {
    this.#fail('local', reason);
  }

  /** One direction ended: from now on the other must make progress. */
  onHalfClosed(): void {
    if (this.#downstream.ended && this.#upstream.ended) return;
    this.#watch(this.#options.halfClosedTimeoutMs ?? DEFAULT_HALF_CLOSED_TIMEOUT_MS, 'half-closed');
  }

  onSideClosed(side: CopySide, error: ChannelError | undefined): void {
    if (error !== undefined) this.#fail(side, error);
    if (!this.#downstream.closed || !this.#upstream.closed) return;
    this.#timer?.cancel();
    this.#options.onClose({
      bytesSent: this.bytesSent,
      bytesReceived: this.bytesReceived,
      error: this.#error,
      closedBy: this.#closedBy,
    });
  }

  #fail(by: CopySide | 'local', error: ChannelError): void {
    if (this.#error !== undefined) return;
    this.#error = error;
    this.#closedBy = by;
    this.#timer?.cancel();
    // A channel that is closed ignores it.
    this.#downstream.from.abort(error);
    this.#upstream.from.abort(error);
  }

  #watch(timeoutMs: number, what: string): void {
    if (timeoutMs === 0 || this.#error !== undefined) return;
    this.#timer?.cancel();
    this.#quietChecks = 0;
    const check = (): void => {
      const bytes = this.bytesSent + this.bytesReceived;
      this.#quietChecks = bytes === this.#checkedBytes ? this.#quietChecks + 1 : 0;
      this.#checkedBytes = bytes;
      if (this.#quietChecks >= CHECKS_PER_TIMEOUT) {
        this.#fail('local', new ChannelError('timeout', `${what} with no data for ${timeoutMs} ms`));
      } else this.#timer = this.#options.clock.setTimer(timeoutMs / CHECKS_PER_TIMEOUT, check);
    };
    this.#checkedBytes = this.bytesSent + this.bytesReceived;
    this.#timer = this.#options.clock.setTimer(timeoutMs / CHECKS_PER_TIMEOUT, check);
  }
}

/** Reads one side and writes the other. */
class CopyEnd implements ChannelHandler, RelayHandler {
  readonly from: ByteChannel;
  bytes = 0;
  ended = false;
  closed = false;
  readonly #side: CopySide;
  readonly #to: ByteChannel;
  readonly #owned: boolean;
  readonly #copy: Copy;

  constructor(side: CopySide, from: ByteChannel, to: ByteChannel, copy: Copy) {
    this.from = from;
    this.#side = side;
    this.#to = to;
    this.#owned = from.readsAreOwned;
    this.#copy = copy;
  }

  start(): void {
    this.from.setHandler(this);
    this.from.relayTo?.(this.#to, this);
  }

  onRelayed(bytes: number): void {
    this.bytes += bytes;
  }

  onData(slice: Buffer): void {
    this.bytes += slice.length;
    if (!(this.#owned ? this.#to.writeOwned(slice) : this.#to.write(slice))) this.from.pause();
  }

  onEnd(): void {
    this.ended = true;
    this.#to.end();
    this.#copy.onHalfClosed();
  }

  /** What this side queued has left: the other side may be read again. */
  onDrain(): void {
    this.#to.resume();
  }

  onClose(error: ChannelError | undefined): void {
    this.closed = true;
    this.#copy.onSideClosed(this.#side, error);
  }
}
