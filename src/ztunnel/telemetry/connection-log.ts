import type { AccessLog, AccessValue } from '#shared/observability/access-log.ts';
import type { ConnectionPeers } from '#shared/observability/connection-peers.ts';

/** What one line of the access log says. Addresses are `ip:port`; empty text where there is none. */
export interface ConnectionLine {
  readonly peers: ConnectionPeers;
  readonly sourceAddress: string;
  /** The next hop as dialled (outbound), or the local address the peer dialled (inbound). */
  readonly destinationAddress: string;
  /** Authority of the CONNECT; empty for plaintext. */
  readonly hboneAddress: string;
  /** As the local workload sees it: sent is what it wrote. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly durationMs: number;
  readonly error: string | undefined;
}

/** Writes the one line of a connection that has ended, or was refused. */
export function logConnection(log: AccessLog, line: ConnectionLine): void {
  const level = line.error === undefined ? 'info' : 'error';
  log.write(level, line.error === undefined ? 'complete' : 'failed', connectionFields(line));
}

/** Name, value, …: in the order and with the names that ambient users know. */
function connectionFields(line: ConnectionLine): AccessValue[] {
  const { peers } = line;
  const { source, destination, service } = peers;
  return [
    'src.addr',
    line.sourceAddress,
    'src.workload',
    source?.name,
    'src.namespace',
    source?.namespace,
    'src.identity',
    peers.sourceIdentity,
    'src.cluster',
    unlessEmpty(source?.clusterId),
    'dst.addr',
    unlessEmpty(line.destinationAddress),
    'dst.hbone_addr',
    unlessEmpty(line.hboneAddress),
    'dst.service',
    service?.hostname,
    'dst.workload',
    destination?.name,
    'dst.namespace',
    destination?.namespace ?? service?.namespace,
    'dst.identity',
    peers.destinationIdentity,
    'dst.cluster',
    unlessEmpty(destination?.clusterId),
    'direction',
    peers.reporter === 'source' ? 'outbound' : 'inbound',
    'bytes_sent',
    line.bytesSent,
    'bytes_recv',
    line.bytesReceived,
    'duration',
    `${Math.round(line.durationMs)}ms`,
    'error',
    line.error,
  ];
}

function unlessEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
