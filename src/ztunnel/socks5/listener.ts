import type { TcpChannel } from '#shared/engine/engine.ts';
import { closeInOrder } from './close-in-order.ts';
import { carry, connectionError } from '../connections/carry.ts';
import type { TrackedConnection } from '../connections/tracked-connection.ts';
import { connectOutbound } from '../outbound/connect.ts';
import { startOutbound } from '../outbound/listener.ts';
import type { PodContext } from '../pod/pod-context.ts';
import { socks5Handshake } from './handshake.ts';
import { replyCode, requestReply } from './reply.ts';
import { SOCKS5_REPLY } from './request.ts';

/** A connection of a workload that asks for its destination by SOCKS5 instead of being captured. */
export function acceptSocks5(pod: PodContext, channel: TcpChannel): void {
  const connection = startOutbound(pod, channel);
  if (connection.aborted === undefined) {
    void serve(pod, channel, connection);
    return;
  }
  pod.traffic.connections.end(connection, undefined);
  channel.abort(connection.aborted);
}

/** Never rejects. */
async function serve(pod: PodContext, channel: TcpChannel, connection: TrackedConnection): Promise<void> {
  let asked = false;
  try {
    const { host, port, early } = await socks5Handshake(channel, pod.traffic.clock);
    asked = true;
    const upstream = await connectOutbound(pod, { host, port, source: channel.remoteAddress }, connection);
    if (connection.aborted !== undefined) {
      upstream.abort(connection.aborted);
      throw connection.aborted;
    }
    channel.write(requestReply(SOCKS5_REPLY.succeeded));
    if (early.length > 0) upstream.write(early);
    carry(pod.traffic, connection, channel, upstream);
    channel.resume();
  } catch (thrown) {
    const error = connectionError(thrown);
    pod.traffic.connections.end(connection, error);
    if (asked) channel.write(requestReply(replyCode(error)));
    closeInOrder(channel, pod.traffic.clock);
  }
}
