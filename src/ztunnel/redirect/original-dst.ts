import type { SocketEndpoint } from '#shared/engine/channel.ts';
import { originalDestinationOf } from '#shared/native/socket.ts';
import { isIpv6 } from '#shared/workload/ip.ts';

export type OriginalDestination =
  | { readonly kind: 'redirected'; readonly destination: SocketEndpoint }
  /** Somebody dialled the capture port itself. Never forward it: the proxy would connect to itself for ever. */
  | { readonly kind: 'direct' };

/**
 * Where the application was connecting to, of a connection accepted on 15001 or 15006.
 *
 * Connection tracking answers for a connection that was not redirected too, with the local address; so the answer is
 * compared with `local` (the accepted socket's own address).
 * Throws `SystemCallError` when connection tracking has lost the connection (its table is full or was flushed).
 */
export function originalDestination(fd: number, local: SocketEndpoint): OriginalDestination {
  const destination = originalDestinationOf(fd, isIpv6(local.ip) ? 6 : 4);
  const direct = destination.ip === local.ip && destination.port === local.port;
  return direct ? { kind: 'direct' } : { kind: 'redirected', destination };
}
