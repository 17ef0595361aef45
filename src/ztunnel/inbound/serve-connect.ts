import { authzConnection } from '#shared/authz/connection.ts';
import { ChannelError, type SocketEndpoint } from '#shared/engine/channel.ts';
import type { InboundConnect, RefusalStatus } from '#shared/hbone/inbound-connect.ts';
import { formatHostPort } from '#shared/workload/ip.ts';
import { carry, connectionError } from '../connections/carry.ts';
import { BoundError } from '../connections/bound-error.ts';
import type { TrackedConnection } from '../connections/tracked-connection.ts';
import type { PodContext } from '../pod/pod-context.ts';
import { authorize } from './authorize.ts';
import { buildInboundRequest, type InboundRequest } from './build-request.ts';

/**
 * One CONNECT to a local workload, in phases: is it for us (400), may it come in (401), does the application answer
 * (503), and then bytes.
 */
export function serveConnect(pod: PodContext, connect: InboundConnect): void {
  const inbound: Inbound = { pod, connect, connection: startInbound(pod, connect) };
  try {
    decide(inbound);
  } catch (error) {
    refuse(inbound, 503, connectionError(error));
  }
}

function decide(inbound: Inbound): void {
  const { pod, connect, connection } = inbound;
  const refusal = connection.aborted ?? pod.traffic.gate.refusal;
  if (refusal !== undefined) {
    refuse(inbound, 503, refusal);
    return;
  }
  const { workload, known } = pod.current();
  if (!known) {
    const problem = `the controller has not told about ${workload.uid} yet: its policies are not known`;
    refuse(inbound, 503, new ChannelError('unreachable', problem));
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
    refuse(inbound, request.status, new ChannelError('protocol', request.reason));
    return;
  }
  describe(connection, request, connect.peerIdentity);
  const denied = authorize(pod, connection);
  if (denied === undefined) void reachApplication(inbound, request.target, request.sourceIp);
  else refuse(inbound, 401, denied);
}

/** A request on its way. */
interface Inbound {
  readonly pod: PodContext;
  readonly connect: InboundConnect;
  readonly connection: TrackedConnection;
}

/** Never rejects. Apart from what decides: all that an asynchronous function names is kept while it waits. */
async function reachApplication(inbound: Inbound, target: SocketEndpoint, sourceIp: string): Promise<void> {
  const { pod, connect, connection } = inbound;
  try {
    const app = await pod.dialer.dialApplication(target, sourceIp, connect.signal);
    if (connection.aborted !== undefined) {
      app.abort(connection.aborted);
      refuse(inbound, connection.aborted.code === 'policy' ? 401 : 503, connection.aborted);
      return;
    }
    carry(pod.traffic, connection, connect.accept(), app);
  } catch (error) {
    refuse(inbound, 503, connectionError(error));
  }
}

function refuse({ pod, connect, connection }: Inbound, status: RefusalStatus, error: ChannelError): void {
  pod.traffic.connections.end(connection, error);
  connect.refuse(status, error.message, error instanceof BoundError);
}

function startInbound(pod: PodContext, connect: InboundConnect): TrackedConnection {
  const { connections } = pod.traffic;
  const { remote, local, request } = connect;
  const peers = {
    reporter: 'destination',
    source: undefined,
    sourceIdentity: connect.peerIdentity,
    destination: pod.current().workload,
    destinationIdentity: pod.identity,
    service: undefined,
    security: 'mutual_tls',
  } as const;
  const source = formatHostPort(remote.ip, remote.port);
  const connection = connections.start(pod.info.uid, source, peers, pod.places.inbound);
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
