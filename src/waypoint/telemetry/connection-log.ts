import type { AccessLog } from '#shared/observability/access-log.ts';
import type { LogSubject } from '#shared/route/log-filter/term.ts';
import type { ConnectionPeers } from '#shared/observability/connection-peers.ts';

/** What one line of the access log says of a connection that is not HTTP. */
export interface ConnectionLine {
  readonly peers: ConnectionPeers;
  readonly sourceAddress: string;
  /** `ip:port`; empty when no endpoint was reached. */
  readonly endpointAddress: string;
  readonly flags: string;
  /** Request bytes: what the client wrote. */
  readonly bytesReceived: number;
  /** Response bytes: what the client was sent. */
  readonly bytesSent: number;
  readonly durationMs: number;
  readonly error: string | undefined;
}

/** What a filter of the log finds of a connection: nothing of HTTP. */
export function logSubject(line: ConnectionLine): LogSubject {
  return {
    ...line,
    request: undefined,
    status: 0,
    grpcStatus: '',
    requestBytes: line.bytesReceived,
    responseBytes: line.bytesSent,
  };
}

/** Writes the one line of a connection that has ended, or was refused. */
export function logConnection(log: AccessLog, line: ConnectionLine): void {
  const { flags, peers } = line;
  const { destination, service, source } = peers;
  const failed = flags !== '-';
  log.write(failed ? 'error' : 'info', failed ? 'failed' : 'complete', [
    'src.addr',
    line.sourceAddress,
    'src.workload',
    source?.name,
    'src.namespace',
    source?.namespace,
    'src.identity',
    peers.sourceIdentity,
    'dst.service',
    service?.hostname,
    'dst.addr',
    line.endpointAddress === '' ? undefined : line.endpointAddress,
    'dst.workload',
    destination?.name,
    'dst.namespace',
    destination?.namespace ?? service?.namespace,
    'dst.identity',
    peers.destinationIdentity,
    'protocol',
    'TCP',
    'response_flags',
    flags,
    'bytes_sent',
    line.bytesSent,
    'bytes_recv',
    line.bytesReceived,
    'duration',
    `${Math.round(line.durationMs)}ms`,
    'error',
    line.error,
  ]);
}
