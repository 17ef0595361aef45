import type { AccessLog, AccessValue, RenderedFields } from '#shared/observability/access-log.ts';
import type { RequestHead } from '#shared/http/exchange.ts';
import { getHeader } from '#shared/http/headers.ts';
import { traceIdOf } from '#shared/observability/trace-context.ts';
import { isFailedRequest } from '#shared/route/classify.ts';
import { type Service, type Workload, workloadIdentity } from '#shared/workload/workload.ts';
import { namedService } from '#shared/workload/workload-service.ts';
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

/** Whether the waypoint ended it, or the service failed, by its status or that of gRPC. */
export function hasFailed({
  flags,
  grpcStatus,
  status,
}: Pick<RequestLine, 'flags' | 'grpcStatus' | 'status'>): boolean {
  return flags !== '-' || isFailedRequest([], { broken: false, grpcStatus, status });
}

/**
 * One line for each request that has ended. What lines of one client, and of one endpoint, have in common is rendered once, as
 * is what requests of one client mostly have in common.
 */
export class RequestLog {
  readonly #log: AccessLog;
  readonly #clients = new WeakMap<RequestPeers, Client>();
  readonly #endpoints = new WeakMap<Workload, Endpoint>();
  readonly #noFlags: RenderedFields;

  constructor(log: AccessLog) {
    this.#log = log;
    this.#noFlags = log.render(['response_flags', '-']);
  }

  write(line: RequestLine): void {
    const log = this.#log;
    const client = this.#client(line);
    const endpoint = this.#endpoint(line);
    const failed = hasFailed(line);
    log.begin(failed ? 'error' : 'info', failed ? 'failed' : 'complete');
    log.field('src.addr', line.sourceAddress);
    log.rendered(client.fields);
    log.rendered(endpoint);
    log.rendered(client.target);
    log.field('path', line.request.path);
    log.rendered(client.way);
    log.field('attempts', line.attempts);
    log.field('response_code', line.status);
    if (line.grpcStatus !== '') log.field('grpc_status', line.grpcStatus);
    if (line.flags === '-') log.rendered(this.#noFlags);
    else log.field('response_flags', line.flags);
    log.field('bytes_recv', line.requestBytes);
    log.field('bytes_sent', line.responseBytes);
    log.milliseconds('duration', line.durationMs);
    if (line.upstreamMs >= 0) log.milliseconds('upstream_duration', line.upstreamMs);
    log.field('trace_id', traceId(line.request));
    log.field('error', line.detail);
    log.end();
  }

  #client({ peers, request, route }: RequestLine): Client {
    let client = this.#clients.get(peers);
    if (client === undefined) this.#clients.set(peers, (client = new Client(this.#log, peers)));
    client.onRequest(this.#log, request, route);
    return client;
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

interface Endpoint extends RenderedFields {
  readonly service: Service;
  readonly port: number;
}

const NOTHING: RenderedFields = { bytes: new Uint8Array(0) };

/** Fields of a client, and those of its last request that the next one mostly has as well. */
class Client {
  readonly fields: RenderedFields;
  /** Before the path. */
  target = NOTHING;
  /** Behind it. */
  way = NOTHING;
  #method: string | undefined;
  #authority = '';
  #protocol: string | undefined;
  #route = '';

  constructor(log: AccessLog, peers: RequestPeers) {
    this.fields = log.render(clientFields(peers));
  }

  onRequest(log: AccessLog, { authority, method, protocol }: RequestHead, route: string): void {
    if (method !== this.#method || authority !== this.#authority) {
      this.#method = method;
      this.#authority = authority;
      this.target = log.render(['method', method, 'authority', authority]);
    }
    if (protocol !== this.#protocol || route !== this.#route) {
      this.#protocol = protocol;
      this.#route = route;
      this.way = log.render(['protocol', protocol, 'route', route]);
    }
  }
}

/** Its address is not among them: the same client comes from many ports. */
function clientFields(peers: RequestPeers): AccessValue[] {
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
    namedService(service)?.hostname,
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
