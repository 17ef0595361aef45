import { ChannelError, type ByteChannel } from '#shared/engine/channel.ts';
import { copyBidirectional } from '#shared/engine/copy.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { TrafficContext } from '../pod/traffic-context.ts';
import type { TrackedConnection } from './tracked-connection.ts';

/** Joins the two sides of an accepted connection until it ends, and records it. */
export function carry(
  traffic: TrafficContext,
  connection: TrackedConnection,
  downstream: ByteChannel,
  upstream: ByteChannel,
): void {
  const { connections, clock, settings } = traffic;
  connections.established(connection);
  const copy = copyBidirectional(downstream, upstream, {
    clock,
    halfClosedTimeoutMs: settings.halfClosedTimeoutMs,
    onClose: result => connections.end(connection, result.error),
  });
  connection.attach(copy);
}

/** What was thrown, as the error of a connection. Anything but a `ChannelError` is a fault of ours. */
export function connectionError(thrown: unknown): ChannelError {
  if (thrown instanceof ChannelError) return thrown;
  const why = errorMessage(thrown);
  return new ChannelError('io', `internal error: ${why}`, { cause: thrown });
}
