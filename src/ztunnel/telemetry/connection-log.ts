import type { AccessLog } from '#shared/observability/access-log.ts';
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

/**
 * Writes the one line of a connection that has ended, or was refused: in the order and with the names that ambient users
 * know. Field by field, since a list of them would be as large as all else that the line needs.
 */
export function logConnection(log: AccessLog, line: ConnectionLine): void {
  const { peers } = line;
  const { source, destination, service } = peers;
  const isInOrder = line.error === undefined;
  log.begin(isInOrder ? 'info' : 'error', isInOrder ? 'complete' : 'failed');
  log.field('src.addr', line.sourceAddress);
  log.field('src.workload', source?.name);
  log.field('src.namespace', source?.namespace);
  log.field('src.identity', peers.sourceIdentity);
  log.field('src.cluster', unlessEmpty(source?.clusterId));
  log.field('dst.addr', unlessEmpty(line.destinationAddress));
  log.field('dst.hbone_addr', unlessEmpty(line.hboneAddress));
  log.field('dst.service', service?.hostname);
  log.field('dst.workload', destination?.name);
  log.field('dst.namespace', destination?.namespace ?? service?.namespace);
  log.field('dst.identity', peers.destinationIdentity);
  log.field('dst.cluster', unlessEmpty(destination?.clusterId));
  log.field('direction', peers.reporter === 'source' ? 'outbound' : 'inbound');
  log.field('bytes_sent', line.bytesSent);
  log.field('bytes_recv', line.bytesReceived);
  log.field('duration', `${Math.round(line.durationMs)}ms`);
  log.field('error', line.error);
  log.end();
}

function unlessEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
