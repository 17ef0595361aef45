import { ChannelError } from '#shared/engine/channel.ts';
import type { ConnectionBounds } from './connection-bounds.ts';
import type { Bound } from './places.ts';
import type { Direction } from './pod-counts.ts';

/** A connection that is refused because there is no place for it. */
export class BoundError extends ChannelError {
  constructor(message: string) {
    super('resource_exhausted', message);
    this.name = 'BoundError';
  }
}

const WHAT: Readonly<Record<Direction, string>> = {
  outbound: 'outbound connections',
  inbound: 'inbound connections',
  hbone: 'HBONE connections',
};

/** Who has how many, what stands against more, and what to do about it. */
export function boundMessage(
  bound: Bound,
  pod: string,
  direction: Direction,
  { perPod, room, roomIs }: ConnectionBounds,
): string {
  const what = WHAT[direction];
  return bound === 'pod'
    ? `pod ${pod} has ${perPod} ${what}, as many as a pod may: if it needs them, raise MAX_CONNECTIONS_PER_POD`
    : `pod ${pod} has as many ${what} as are left for all others, of ${room} that ztunnel has room for (${roomIs}): see which pods have the most, or give it more of that`;
}
