import type { Sample } from '../../traffic/prometheus-text.ts';
import {
  addRequests,
  countRequests,
  isOfRequests,
  noRequests,
  type RequestCount,
} from '../../traffic/request-count.ts';

/** Who counted: the ztunnel of the client, that of the server, or a waypoint between them. */
export type Reporter = 'source' | 'waypoint' | 'destination';

export interface FlowEnd {
  /** Empty: it is not known. */
  readonly namespace: string;
  readonly workload: string;
  /** SPIFFE id that was proved; empty: none. */
  readonly identity: string;
}

/** Who talks to whom, as one kind of reporter tells it. */
export interface Flow {
  readonly key: string;
  readonly reporter: Reporter;
  /** Of a waypoint's report: its pod, `shop/waypoint-0`. */
  readonly waypointPod: string;
  readonly source: FlowEnd;
  readonly destination: FlowEnd;
  /** The Service that was asked for, `shop/payments`; empty: none, or not known. */
  readonly service: string;
  readonly isSecure: boolean;
}

/** What passed over some time. */
export interface FlowCount extends RequestCount {
  opened: number;
  requestBytes: number;
  responseBytes: number;
  /** Requests and connections that policy refused. */
  denied: number;
  /** Connections that failed for another reason. */
  failed: number;
}

export function emptyCount(): FlowCount {
  return { ...noRequests(), opened: 0, requestBytes: 0, responseBytes: 0, denied: 0, failed: 0 };
}

export function addCount(sum: FlowCount, more: FlowCount): void {
  addRequests(sum, more);
  sum.opened += more.opened;
  sum.requestBytes += more.requestBytes;
  sum.responseBytes += more.responseBytes;
  sum.denied += more.denied;
  sum.failed += more.failed;
}

export function isQuiet(count: FlowCount): boolean {
  const { denied, failed, opened, requestBytes, requests, responseBytes } = count;
  return denied + failed + opened + requestBytes + requests + responseBytes === 0;
}

const OPENED = 'istio_tcp_connections_opened_total';
const CLOSED = 'istio_tcp_connections_closed_total';
const FAILED = 'istio_tcp_connections_failed_total';
/** From the client's side: what it sent was received. */
const REQUEST_BYTES = 'istio_tcp_received_bytes_total';
const RESPONSE_BYTES = 'istio_tcp_sent_bytes_total';
const CONNECTION_METRICS: ReadonlySet<string> = new Set([
  OPENED,
  CLOSED,
  FAILED,
  REQUEST_BYTES,
  RESPONSE_BYTES,
]);

/** Metrics that tell who talks to whom. */
export function isOfFlows(name: string): boolean {
  return isOfRequests(name) || CONNECTION_METRICS.has(name);
}

/** @param increase of one of the metrics of flows */
export function countFlow(count: FlowCount, increase: Sample): void {
  const { labels, name, value } = increase;
  countRequests(count, increase);
  switch (name) {
    case OPENED:
      count.opened += value;
      return;
    case REQUEST_BYTES:
      count.requestBytes += value;
      return;
    case RESPONSE_BYTES:
      count.responseBytes += value;
      return;
    case FAILED:
      if (labels.get('response_flags') === 'DENY') count.denied += value;
      else count.failed += value;
      return;
    case 'istio_requests_total':
      if (isDenied(labels)) count.denied += value;
      return;
    default:
  }
}

function isDenied(labels: ReadonlyMap<string, string>): boolean {
  return (labels.get('response_flags') ?? '').split(',').includes('UAEX');
}

/** By how many connections a sample says that more are open. */
export function openConnections({ name, value }: Sample): number {
  return name === OPENED ? value : name === CLOSED ? -value : 0;
}

/** @param proxyPod `<namespace>/<pod>` of the proxy that counted */
export function flowOf(labels: ReadonlyMap<string, string>, proxyPod: string): Flow {
  const label = (name: string): string => {
    const value = labels.get(name) ?? '';
    return value === 'unknown' ? '' : value;
  };
  const end = (side: 'source' | 'destination'): FlowEnd => ({
    namespace: label(`${side}_workload_namespace`),
    workload: label(`${side}_workload`),
    identity: label(`${side}_principal`),
  });
  const reporter = reporterOf(label('reporter'));
  const [source, destination] = [end('source'), end('destination')];
  const serviceName = label('destination_service_name');
  const service = serviceName === '' ? '' : `${label('destination_service_namespace')}/${serviceName}`;
  const isSecure = label('connection_security_policy') === 'mutual_tls';
  const waypointPod = reporter === 'waypoint' ? proxyPod : '';
  const key = [
    reporter,
    waypointPod,
    ...[source, destination].flatMap(e => [e.namespace, e.workload, e.identity]),
    service,
    isSecure,
  ].join('\0');
  return { key, reporter, waypointPod, source, destination, service, isSecure };
}

function reporterOf(text: string): Reporter {
  return text === 'source' || text === 'waypoint' ? text : 'destination';
}
