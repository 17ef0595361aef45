import type { Clock } from '../lifecycle/clock.ts';
import { type ByteChannel, ChannelError } from './channel.ts';

export interface CopyOptions {
  readonly clock: Clock;
  /** One direction ended and nothing moves the other way for this long: both are aborted. Default 1 h. */
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
  /** Whose end it was: the channel that failed first. */
  readonly closedBy: 'downstream' | 'upstream' | 'local' | undefined;
}

/** A running copy; the counters are live. */
export interface BidirectionalCopy {
  /** downstream → upstream. */
  readonly bytesSent: number;
  /** upstream → downstream. */
  readonly bytesReceived: number;
  /** Aborts both sides (policy change, drain deadline). Idempotent. */
  abort(reason: ChannelError): void;
}

/** Joins two channels until both are closed; takes over their handlers. */
export function copyBidirectional(
  downstream: ByteChannel,
  upstream: ByteChannel,
  options: CopyOptions,
): BidirectionalCopy {
  void [downstream, upstream, options];
  throw new ChannelError('io', 'not built yet');
}
