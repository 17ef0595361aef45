import { ChannelError } from '#shared/engine/channel.ts';
import type { TcpChannel } from '#shared/engine/engine.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { OriginalDestination } from '../redirect/original-dst.ts';
import type { PodContext } from './pod-context.ts';

/** Where a captured connection was going. Throws `ChannelError` when the kernel does not know any more. */
export function originalDestinationOf(pod: PodContext, channel: TcpChannel): OriginalDestination {
  try {
    return pod.traffic.originalDestination(channel);
  } catch (cause) {
    const why = errorMessage(cause);
    throw new ChannelError(
      'io',
      `connection tracking has lost the original destination (is nf_conntrack_max reached?): ${why}`,
      { cause },
    );
  }
}
