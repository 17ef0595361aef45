import type { Cell, HistogramCell, MetricSet } from '#shared/observability/metric-set.ts';
import type { Workload } from '#shared/workload/workload.ts';

export type Transport = 'udp' | 'tcp';
/** What came of a query. */
export type DnsResult = 'answered' | 'forwarded' | 'failed' | 'refused' | 'malformed' | 'ignored';
type FailureReason = 'timeout' | 'unreachable' | 'limit' | 'policy';

export interface DnsMetrics {
  request(source: Workload, transport: Transport, result: DnsResult): void;
  upstreamRequest(source: Workload, transport: Transport): void;
  upstreamFailure(source: Workload, transport: Transport, reason: FailureReason): void;
  upstreamSeconds(transport: Transport, seconds: number): void;
}

const SOURCE = ['source_workload', 'source_workload_namespace', 'request_protocol'] as const;
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

export function createDnsMetrics(metrics: MetricSet): DnsMetrics {
  const requests = metrics.counter({
    name: 'istio_dns_requests_total',
    help: 'DNS queries of captured pods, by what came of them: `answered` here, `forwarded` and answered, `failed` (forwarded, no answer), `refused` (too many under way, not let out, a transfer of a zone, or the mesh is not known yet), `malformed`, `ignored` (no query).',
    labels: [...SOURCE, 'result'],
  });
  const upstreamRequests = metrics.counter({
    name: 'istio_dns_upstream_requests_total',
    help: 'DNS queries of captured pods that were forwarded to a name server.',
    labels: SOURCE,
  });
  const failures = metrics.counter({
    name: 'istio_dns_upstream_failures_total',
    help: 'DNS queries of captured pods that no name server answered, by reason: `timeout`, `unreachable`, `limit` (too many under way, not sent), or `policy` (`OUTBOUND_TRAFFIC_POLICY`, not sent).',
    labels: [...SOURCE, 'reason'],
  });
  const seconds = metrics.histogram({
    name: 'istio_dns_upstream_request_duration_seconds',
    help: 'Seconds from a query that is forwarded to its answer, or to its end without one.',
    labels: ['request_protocol'],
    buckets: BUCKETS,
  });
  const durations = new Map<Transport, HistogramCell>();
  const count = (cell: Cell): void => void cell.value++;
  return {
    request: (source, transport, result) => count(requests.cell([...labels(source, transport), result])),
    upstreamRequest: (source, transport) => count(upstreamRequests.cell(labels(source, transport))),
    upstreamFailure: (source, transport, reason) =>
      count(failures.cell([...labels(source, transport), reason])),
    upstreamSeconds(transport, value) {
      let cell = durations.get(transport);
      if (cell === undefined) durations.set(transport, (cell = seconds.cell([transport])));
      cell.observe(value);
    },
  };
}

function labels({ workloadName, namespace }: Workload, transport: Transport): string[] {
  return [workloadName === '' ? 'unknown' : workloadName, namespace, transport];
}
