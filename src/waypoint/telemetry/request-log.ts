import type { AccessLog, AccessValue } from '#shared/observability/access-log.ts';
import type { RequestHead } from '#shared/http/exchange.ts';
import { getHeader } from '#shared/http/headers.ts';
import { traceIdOf } from '#shared/observability/trace-context.ts';
import { type Service, type Workload, workloadIdentity } from '#shared/workload/workload.ts';
import type { RequestPeers } from './request-metrics.ts';

/** What one line of the access log says of a request. */
export interface RequestLine {
  readonly peers: RequestPeers;
  readonly sourceAddress: string;
  readonly request: RequestHead;
  readonly service: Service;
  readonly endpoint: Workload | undefined;
  readonly endpointAddress: string;
  readonly route: string;
  readonly attempts: number;
  readonly status: number;
  readonly flags: string;
  /** Why, where the waypoint itself answered. */
  readonly detail: string | undefined;
  readonly grpcStatus: string;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly durationMs: number;
  /** From the request to the first byte of the upstream's response; -1 when there was none. */
  readonly upstreamMs: number;
}

/** Writes the one line of a request that has ended. */
export function logRequest(log: AccessLog, line: RequestLine): void {
  const failed = line.flags !== '-' || line.status >= 500;
  log.write(failed ? 'error' : 'info', failed ? 'failed' : 'complete', requestFields(line));
}

function requestFields(line: RequestLine): AccessValue[] {
  const { peers, request, service, endpoint } = line;
  return [
    'src.addr',
    line.sourceAddress,
    'src.workload',
    peers.source?.name,
    'src.namespace',
    peers.source?.namespace,
    'src.identity',
    peers.sourceIdentity,
    'dst.service',
    service.hostname,
    'dst.addr',
    line.endpointAddress === '' ? undefined : line.endpointAddress,
    'dst.workload',
    endpoint?.name,
    'dst.namespace',
    endpoint?.namespace ?? service.namespace,
    'dst.identity',
    endpoint === undefined || endpoint.tunnelProtocol === 'none' ? undefined : workloadIdentity(endpoint),
    'method',
    request.method,
    'authority',
    request.authority,
    'path',
    request.path,
    'protocol',
    request.protocol,
    'route',
    line.route,
    'attempts',
    line.attempts,
    'response_code',
    line.status,
    'grpc_status',
    line.grpcStatus === '' ? undefined : line.grpcStatus,
    'response_flags',
    line.flags,
    'bytes_recv',
    line.requestBytes,
    'bytes_sent',
    line.responseBytes,
    'duration',
    milliseconds(line.durationMs),
    'upstream_duration',
    line.upstreamMs < 0 ? undefined : milliseconds(line.upstreamMs),
    'trace_id',
    traceId(request),
    'error',
    line.detail,
  ];
}

function milliseconds(ms: number): string {
  if (ms >= 10) return `${Math.round(ms)}ms`;
  const tenths = Math.round(ms * 10);
  return `${Math.floor(tenths / 10)}.${tenths % 10}ms`;
}

function traceId(request: RequestHead): string | undefined {
  const value = getHeader(request.headers, 'traceparent');
  return value === undefined ? undefined : traceIdOf(value);
}
