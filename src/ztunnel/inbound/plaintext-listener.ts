import { authzConnection } from '#shared/authz/connection.ts';
import { ChannelError, type SocketEndpoint } from '#shared/engine/channel.ts';
import type { TcpChannel } from '#shared/engine/engine.ts';
import { formatHostPort } from '#shared/workload/ip.ts';
import { carry, connectionError } from '../connections/carry.ts';
import type { TrackedConnection } from '../connections/tracked-connection.ts';
import { originalDestinationOf } from '../pod/original-destination.ts';
import type { PodContext } from '../pod/pod-context.ts';
import { PROXY_PORTS } from '../ports.ts';
import { authorize } from './authorize.ts';

/** A connection to the pod from outside the mesh, captured on 15006. It has an address, but no identity. */
export function acceptPlaintext(pod: PodContext, channel: TcpChannel): void {
  void serve(pod, channel);
}

/** Never rejects. */
async function serve(pod: PodContext, channel: TcpChannel): Promise<void> {
  const connection = startPlaintext(pod, channel);
  try {
    const refused = connection.aborted ?? pod.traffic.gate.refusal;
    if (refused !== undefined) throw refused;
    const target = targetOf(pod, channel);
    connection.destinationAddress = formatHostPort(target.ip, target.port);
    connection.authz = authzConnection({
      sourceIdentity: undefined,
      sourceIp: channel.remoteAddress.ip,
      destinationIp: target.ip,
      destinationPort: target.port,
    });
    const denied = authorize(pod, connection);
    if (denied !== undefined) throw denied;
    const app = await pod.dialer.dialApplication(target, channel.remoteAddress.ip);
    if (connection.aborted !== undefined) {
      app.abort(connection.aborted);
      throw connection.aborted;
    }
    carry(pod.traffic, connection, channel, app);
  } catch (thrown) {
    const error = connectionError(thrown);
    pod.traffic.connections.end(connection, error);
    channel.abort(error);
  }
}

function targetOf(pod: PodContext, channel: TcpChannel): SocketEndpoint {
  const { workload, known } = pod.current();
  if (!known) {
    const problem = `the controller has not told about ${workload.uid} yet: its policies are not known`;
    throw new ChannelError('unreachable', problem);
  }
  const original = originalDestinationOf(pod, channel);
  if (original.kind === 'direct' || PROXY_PORTS.has(original.destination.port)) {
    throw new ChannelError(
      'protocol',
      'dialled a port of the mesh itself; connect to the application instead',
    );
  }
  // Redirected means only that the packet reached this pod: a neighbour can send it one that is addressed to another,
  // and would have it forwarded from here, past what the pod's own address is kept away from.
  if (!pod.info.ips.includes(original.destination.ip)) {
    const { ip } = original.destination;
    throw new ChannelError('protocol', `${ip} is not an address of this pod (${pod.info.ips.join(', ')})`);
  }
  return original.destination;
}

function startPlaintext(pod: PodContext, channel: TcpChannel): TrackedConnection {
  const { view, connections, settings } = pod.traffic;
  const { ip, port } = channel.remoteAddress;
  const peers = {
    reporter: 'destination',
    source: view.workloadByAddress(settings.network, ip),
    sourceIdentity: undefined,
    destination: pod.current().workload,
    destinationIdentity: undefined,
    service: undefined,
    security: 'unknown',
  } as const;
  return connections.start(pod.info.uid, formatHostPort(ip, port), peers, pod.places.inbound);
}
