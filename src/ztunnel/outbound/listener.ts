import { ChannelError } from '#shared/engine/channel.ts';
import type { TcpChannel } from '#shared/engine/engine.ts';
import { formatHostPort } from '#shared/workload/ip.ts';
import type { TrackedConnection } from '../connections/tracked-connection.ts';
import { carry, connectionError } from '../connections/carry.ts';
import type { PodContext } from '../pod/pod-context.ts';
import { originalDestinationOf } from '../pod/original-destination.ts';
import { connectOutbound, type OutboundTarget } from './connect.ts';

/** A connection of the pod's application, captured on 15001. */
export function acceptOutbound(pod: PodContext, channel: TcpChannel): void {
  const connection = startOutbound(pod, channel);
  try {
    if (connection.aborted !== undefined) throw connection.aborted;
    const original = originalDestinationOf(pod, channel);
    if (original.kind === 'direct') {
      throw new ChannelError('protocol', 'dialled the capture port itself; connect to the service instead');
    }
    const { ip: host, port } = original.destination;
    void proxyOutbound(pod, connection, channel, { host, port, source: channel.remoteAddress });
  } catch (error) {
    fail(pod, connection, channel, connectionError(error));
  }
}

/** Registers a connection of the pod's application before anything is known about where it goes. */
export function startOutbound(pod: PodContext, channel: TcpChannel): TrackedConnection {
  const { ip, port } = channel.remoteAddress;
  const peers = {
    reporter: 'source',
    source: pod.current().workload,
    sourceIdentity: pod.identity,
    destination: undefined,
    destinationIdentity: undefined,
    service: undefined,
    security: 'unknown',
  } as const;
  return pod.traffic.connections.start(pod.info.uid, formatHostPort(ip, port), peers, pod.places.outbound);
}

/** Never rejects: whatever happens ends in the connection's one log line. */
async function proxyOutbound(
  pod: PodContext,
  connection: TrackedConnection,
  channel: TcpChannel,
  target: OutboundTarget,
): Promise<void> {
  try {
    const upstream = await connectOutbound(pod, target, connection);
    if (connection.aborted !== undefined) {
      upstream.abort(connection.aborted);
      throw connection.aborted;
    }
    carry(pod.traffic, connection, channel, upstream);
  } catch (error) {
    fail(pod, connection, channel, connectionError(error));
  }
}

function fail(
  pod: PodContext,
  connection: TrackedConnection,
  channel: TcpChannel,
  error: ChannelError,
): void {
  pod.traffic.connections.end(connection, error);
  channel.abort(error);
}
