import type { AccessLog, AccessValue, RenderedFields } from '#shared/observability/access-log.ts';
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
  /** 0: none was chosen. */
  readonly endpointPort: number;
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

/** One line for each request that has ended. What lines of one client, and of one endpoint, have in common is rendered once. */
export class RequestLog {
  readonly #log: AccessLog;
  readonly #clients = new WeakMap<RequestPeers, RenderedFields>();
  readonly #endpoints = new WeakMap<Workload, RenderedEndpoint>();

  constructor(log: AccessLog) {
    this.#log = log;
  }

  write(line: RequestLine): void {
    const log = this.#log;
    const { request } = line;
    const client = this.#client(line);
    const endpoint = this.#endpoint(line);
    const failed = line.flags !== '-' || line.status >= 500;
    log.begin(failed ? 'error' : 'info', failed ? 'failed' : 'complete');
    log.field('src.addr', line.sourceAddress);
    log.rendered(client);
    log.rendered(endpoint);
    log.field('method', request.method);
    log.field('authority', request.authority);
    log.field('path', request.path);
    log.field('protocol', request.protocol);
    log.field('route', line.route);
    log.field('attempts', line.attempts);
    log.field('response_code', line.status);
    if (line.grpcStatus !== '') log.field('grpc_status', line.grpcStatus);
    log.field('response_flags', line.flags);
    log.field('bytes_recv', line.requestBytes);
    log.field('bytes_sent', line.responseBytes);
    log.milliseconds('duration', line.durationMs);
    if (line.upstreamMs >= 0) log.milliseconds('upstream_duration', line.upstreamMs);
    log.field('trace_id', traceId(request));
    log.field('error', line.detail);
    log.end();
  }

  #client(line: RequestLine): RenderedFields {
    let rendered = this.#clients.get(line.peers);
    if (rendered === undefined)
      this.#clients.set(line.peers, (rendered = this.#log.render(clientFields(line))));
    return rendered;
  }

  #endpoint(line: RequestLine): RenderedFields {
    const { endpoint, endpointPort, service } = line;
    if (endpoint === undefined) return this.#log.render(endpointFields(line));
    let known = this.#endpoints.get(endpoint);
    if (known === undefined || known.service !== service || known.port !== endpointPort) {
      known = { service, port: endpointPort, ...this.#log.render(endpointFields(line)) };
      this.#endpoints.set(endpoint, known);
    }
    return known;
  }
}

interface RenderedEndpoint extends RenderedFields {
  readonly service: Service;
  readonly port: number;
}

/** Its address is not among them: the same client comes from many ports. */
function clientFields({ peers }: RequestLine): AccessValue[] {
  return [
    'src.workload',
    peers.source?.name,
    'src.namespace',
    peers.source?.namespace,
    'src.identity',
    peers.sourceIdentity,
  ];
}

function endpointFields({ endpoint, endpointAddress, service }: RequestLine): AccessValue[] {
  return [
    'dst.service',
    service.hostname,
    'dst.addr',
    endpointAddress === '' ? undefined : endpointAddress,
    'dst.workload',
    endpoint?.name,
    'dst.namespace',
    endpoint?.namespace ?? service.namespace,
    'dst.identity',
    endpoint === undefined || endpoint.tunnelProtocol === 'none' ? undefined : workloadIdentity(endpoint),
  ];
}

function traceId(request: RequestHead): string | undefined {
  const value = getHeader(request.headers, 'traceparent');
  return value === undefined ? undefined : traceIdOf(value);
}
