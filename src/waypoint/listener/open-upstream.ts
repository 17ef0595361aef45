import type { ByteChannel } from '#shared/engine/channel.ts';
import type { RoutedStream } from '#shared/route/match-stream.ts';
import type { BalancedEndpoint } from '../balance/endpoint.ts';
import type { Downstream } from '../request/environment.ts';
import type { Upstream } from '../services/service-state.ts';
import { openTunnel } from '../upstream/open-tunnel.ts';
import type { UpstreamConnection } from '../upstream/upstream-connection.ts';

/** A connection to an endpoint, or through it where it is a forward proxy. Rejects with a `ChannelError`. */
export function openUpstream(
  downstream: Downstream,
  endpoint: BalancedEndpoint,
  upstream: Upstream,
  protocol: RoutedStream['protocol'],
): Promise<ByteChannel> {
  const { env } = downstream;
  const { tunnel } = upstream.policy;
  return tunnel === undefined
    ? env.pools.connect(endpoint, carrying(protocol, upstream.connection), downstream)
    : openTunnel(env, endpoint, upstream, tunnel, downstream);
}

/** How bytes are carried of which it is known what they are: TLS of the client's own may need none around it. */
function carrying(protocol: RoutedStream['protocol'], connection: UpstreamConnection): UpstreamConnection {
  const { tls } = connection;
  const passes = protocol === 'tls' && tls?.kind === 'foreign' && tls.passesClientTls;
  return passes ? { ...connection, tls: undefined } : connection;
}
