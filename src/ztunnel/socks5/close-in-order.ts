import { ChannelError, type ByteChannel } from '#shared/engine/channel.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';

/** A client that does not close after it was refused holds the socket no longer than this. */
const LINGER_MS = 5_000;

/** Ends the channel so that what was written still arrives (an abort would take it back), and waits for the client to close. */
export function closeInOrder(channel: ByteChannel, clock: Clock): void {
  const timer = clock.setTimer(LINGER_MS, () => {
    channel.abort(new ChannelError('timeout', 'the client did not close after it was refused'));
  });
  channel.setHandler({
    onData: () => undefined,
    onEnd: () => undefined,
    onDrain: () => undefined,
    onClose: () => timer.cancel(),
  });
  channel.end();
  channel.resume();
}
