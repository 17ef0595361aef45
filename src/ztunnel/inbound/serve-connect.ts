import { authzConnection } from '#shared/authz/connection.ts';
import { ChannelError } from '#shared/engine/channel.ts';
import type { InboundConnect, RefusalStatus } from '#shared/hbone/inbound-connect.ts';
import { formatHostPort } from '#shared/workload/ip.ts';
import { carry, connectionError } from '../connections/carry.ts';
import type { TrackedConnection } from '../connections/tracked-connection.ts';
import type { PodContext } from '../pod/pod-context.ts';
import { authorize } from './authorize.ts';
import { buildInboundRequest, type InboundRequest } from './build-request.ts';

/**
 * One CONNECT to a local workload, in phases: is it for us (400), may it come in (401), does the application answer
 * (503), and then bytes. Never rejects.
 */
export async function serveConnect(pod: PodContext, connect: InboundConnect): Promise<void> {
  const connection = startInbound(pod, connect);
  const refuse = (status: RefusalStatus, error: ChannelError): void => {
    pod.traffic.connections.end(connection, error);
    connect.refuse(status, error.message);
  };
  const { workload, known } = pod.current();
  if (!known) {
    refuse(
      503,
      new ChannelError(
        'unreachable',
        `the controller has not told about ${workload.uid} yet: its policies are not known`,
      ),
    );
    return;
  }
  const request = buildInboundRequest(pod.traffic.view, {
    local: workload,
    localIps: pod.info.ips,
    host: connect.request.host,
    port: connect.request.port,
    peerIdentity: connect.peerIdentity,
    remoteIp: connect.remote.ip,
    forwardedIp: connect.request.forwarded?.source?.ip,
  });
  if (!request.ok) {
    refuse(request.status, new ChannelError('protocol', request.reason));
    return;
  }
  describe(connection, request, connect.peerIdentity);
  const denied = authorize(pod, connection);
  if (denied !== undefined) {
    refuse(401, denied);
    return;
  }
  try {
    const app = await pod.dialer.dialApplication(request.target, request.sourceIp, connect.signal);
    if (connection.aborted !== undefined) {
      app.abort(connection.aborted);
      refuse(connection.aborted.code === 'policy' ? 401 : 503, connection.aborted);
      return;
    }
    carry(pod.traffic, connection, connect.accept(), app);
  } catch (error) {
    refuse(503, connectionError(error));
  }
}

function startInbound(pod: PodContext, connect: InboundConnect): TrackedConnection {
  const { connections } = pod.traffic;
  const { remote, local, request } = connect;
  const connection = connections.start(pod.info.uid, formatHostPort(remote.ip, remote.port), {
    reporter: 'destination',
    source: undefined,
    sourceIdentity: connect.peerIdentity,
    destination: pod.current().workload,
    destinationIdentity: pod.identity,
    service: undefined,
    security: 'mutual_tls',
  });
  connection.destinationAddress = formatHostPort(local.ip, local.port);
  connection.hboneAddress = request.authority;
  return connection;
}

function describe(
  connection: TrackedConnection,
  request: Extract<InboundRequest, { ok: true }>,
  peerIdentity: string,
): void {
  connection.peers = { ...connection.peers, source: request.source, service: request.service };
  connection.authz = authzConnection({
    sourceIdentity: peerIdentity,
    sourceIp: request.sourceIp,
    destinationIp: request.target.ip,
    destinationPort: request.target.port,
  });
}
