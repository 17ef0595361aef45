import type { TrackedConnection } from './tracked-connection.ts';

/** A live connection as `/debug/connections` and `ambientctl ztunnel-config connections` show it. Plain data. */
export interface ConnectionDump {
  readonly workload: string;
  readonly direction: 'Outbound' | 'Inbound';
  readonly local: string;
  readonly remote: string;
  readonly remoteTarget: string;
  readonly protocol: 'HBONE' | 'TCP';
  readonly openedAt: string;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly sourceIdentity: string | undefined;
  readonly destinationIdentity: string | undefined;
}

export function dumpConnection(connection: TrackedConnection): ConnectionDump {
  const { peers, requestBytes, responseBytes } = connection;
  const outbound = peers.reporter === 'source';
  const own = outbound ? peers.source : peers.destination;
  return {
    workload: own === undefined ? connection.podUid : `${own.namespace}/${own.name}`,
    direction: outbound ? 'Outbound' : 'Inbound',
    local: outbound ? connection.sourceAddress : connection.destinationAddress,
    remote: outbound ? connection.destinationAddress : connection.sourceAddress,
    remoteTarget: connection.hboneAddress,
    protocol: peers.security === 'mutual_tls' ? 'HBONE' : 'TCP',
    openedAt: new Date(connection.openedAtMs).toISOString(),
    bytesSent: outbound ? requestBytes : responseBytes,
    bytesReceived: outbound ? responseBytes : requestBytes,
    sourceIdentity: peers.sourceIdentity,
    destinationIdentity: peers.destinationIdentity,
  };
}
