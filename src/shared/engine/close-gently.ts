import type { Clock, Timer } from '../lifecycle/clock.ts';
import type { ByteChannel, ChannelError } from './channel.ts';

/** A channel that was ended here is looked at so often. */
export const LINGER_MS = 5_000;
/** The peer takes nothing of what is queued for so many looks. */
const MAX_IDLE_LOOKS = 12;

/**
 * Watches a channel that was ended here and whose peer is expected to end it too, as soon as it has what is queued.
 * `onStuck`: it does not, or takes nothing for a minute. Where the channel closes, cancel it.
 */
export function watchLinger(channel: ByteChannel, clock: Clock, onStuck: () => void): Timer {
  let queued = channel.bufferedBytes;
  let looks = 0;
  let timer: Timer;
  const look = (): void => {
    const { bufferedBytes } = channel;
    looks = bufferedBytes < queued ? 0 : looks + 1;
    queued = bufferedBytes;
    if (bufferedBytes === 0 || looks === MAX_IDLE_LOOKS) onStuck();
    else timer = clock.setTimer(LINGER_MS, look);
  };
  timer = clock.setTimer(LINGER_MS, look);
  return { cancel: () => timer.cancel() };
}

/**
 * Ends a channel whose last bytes matter (an alert of TLS): an abort would overtake them. Nothing that still comes is heard,
 * and where the peer does not end it in time it is aborted.
 */
export function closeGently(channel: ByteChannel, reason: ChannelError, clock: Clock): void {
  channel.end();
  const linger = watchLinger(channel, clock, () => channel.abort(reason));
  channel.setHandler({ onData() {}, onEnd() {}, onDrain() {}, onClose: () => linger.cancel() });
  channel.resume();
}
