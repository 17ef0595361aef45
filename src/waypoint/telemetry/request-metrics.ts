import type {
  CellFamily,
  Cell,
  HistogramCell,
  HistogramFamily,
  MetricSet,
} from '#shared/observability/metric-set.ts';
import { type MetricOverride, REQUEST_LABELS, type RequestMetric } from '#shared/route/telemetry-policy.ts';
import { type Service, type Workload, workloadIdentity } from '#shared/workload/workload.ts';
import { namedService } from '#shared/workload/workload-service.ts';
import { serviceLabels } from '#shared/observability/tcp-metrics.ts';

/** Istio's own bounds, in milliseconds and bytes. */
const DURATION_BUCKETS = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 600_000,
  1_800_000, 3_600_000,
];
const BYTE_BUCKETS = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

/** Who talks to whom. The objects are the keys: a changed workload is another object and gets its own labels. */
export interface RequestPeers {
  readonly source: Workload | undefined;
  /** Proved by the client; undefined for plaintext. */
  readonly sourceIdentity: string | undefined;
}

export interface RequestCells {
  readonly requests: Cell;
  readonly durationMs: HistogramCell;
  readonly requestBytes: HistogramCell;
  readonly responseBytes: HistogramCell;
  /** Of gRPC. */
  readonly messages: { readonly requests: Cell; readonly responses: Cell } | undefined;
}

interface RequestEnd {
  readonly grpc: boolean;
  readonly status: number;
  readonly flags: string;
  readonly grpcStatus: string;
}

function isSame(end: RequestEnd, grpc: boolean, status: number, flags: string, grpcStatus: string): boolean {
  return end.grpc === grpc && end.status === status && end.flags === flags && end.grpcStatus === grpcStatus;
}

/** The cells between one client, one service and one endpoint, by how requests ended. */
export class PairCells {
  readonly #make: (protocol: string, status: number, flags: string, grpcStatus: string) => RequestCells;
  /** Plain HTTP without anything special: by status alone. */
  readonly #plain: (RequestCells | undefined)[] = [];
  readonly #others = new Map<string, RequestCells>();
  /** Of `#others`, what was asked for last: mostly the next asks for the same. */
  #last: { readonly end: RequestEnd; readonly cells: RequestCells } | undefined;

  constructor(make: (protocol: string, status: number, flags: string, grpcStatus: string) => RequestCells) {
    this.#make = make;
  }

  get(grpc: boolean, status: number, flags: string, grpcStatus: string): RequestCells {
    if (!grpc && flags === '-') {
      const known = this.#plain[status];
      return known ?? (this.#plain[status] = this.#make('http', status, flags, ''));
    }
    const last = this.#last;
    if (last !== undefined && isSame(last.end, grpc, status, flags, grpcStatus)) return last.cells;
    const cells = this.#other(grpc, status, flags, grpcStatus);
    this.#last = { end: { grpc, status, flags, grpcStatus }, cells };
    return cells;
  }

  #other(grpc: boolean, status: number, flags: string, grpcStatus: string): RequestCells {
    const bounded = boundedGrpcStatus(grpcStatus);
    const key = `${grpc}/${status}/${flags}/${bounded}`;
    let cells = this.#others.get(key);
    if (cells === undefined) {
      this.#others.set(key, (cells = this.#make(grpc ? 'grpc' : 'http', status, flags, bounded)));
    }
    return cells;
  }
}

/** A number that gRPC knows, 0 to 16: an upstream may write anything, and must not make a series of each. */
function boundedGrpcStatus(text: string): string {
  return text === '' || /^(?:\d|1[0-6])$/.test(text) ? text : 'other';
}

type ByService = WeakMap<object, WeakMap<object, WeakMap<object, PairCells>>>;

/** Stands for an endpoint that was never chosen. */
const NO_ENDPOINT = {};

/** `istio_request*` of one thread. */
export class RequestMetrics {
  readonly #requests: CellFamily;
  readonly #durations: HistogramFamily;
  readonly #requestBytes: HistogramFamily;
  readonly #responseBytes: HistogramFamily;
  readonly #requestMessages: CellFamily;
  readonly #responseMessages: CellFamily;
  /** Client → service → endpoint → what is told otherwise. Weak, so that what the mesh forgets is forgotten here. */
  readonly #pairs = new WeakMap<object, ByService>();

  constructor(metrics: MetricSet) {
    const labels = REQUEST_LABELS;
    this.#requests = metrics.counter({ name: 'istio_requests_total', help: 'Requests handled.', labels });
    this.#durations = metrics.histogram({
      name: 'istio_request_duration_milliseconds',
      help: 'Duration of requests.',
      labels,
      buckets: DURATION_BUCKETS,
    });
    this.#requestBytes = metrics.histogram({
      name: 'istio_request_bytes',
      help: 'Size of request bodies.',
      labels,
      buckets: BYTE_BUCKETS,
    });
    this.#responseBytes = metrics.histogram({
      name: 'istio_response_bytes',
      help: 'Size of response bodies.',
      labels,
      buckets: BYTE_BUCKETS,
    });
    this.#requestMessages = metrics.counter({
      name: 'istio_request_messages_total',
      help: 'gRPC messages that clients sent.',
      labels,
    });
    this.#responseMessages = metrics.counter({
      name: 'istio_response_messages_total',
      help: 'gRPC messages that servers sent.',
      labels,
    });
  }

  /**
   * @param peers an object of the downstream connection: its requests share it
   * @param overrides of the service's telemetry policy
   */
  pair(
    peers: RequestPeers,
    service: Service,
    endpoint: Workload | undefined,
    overrides: readonly MetricOverride[] = NO_OVERRIDES,
  ): PairCells {
    let byService = this.#pairs.get(peers);
    if (byService === undefined) this.#pairs.set(peers, (byService = new WeakMap()));
    let byEndpoint = byService.get(service);
    if (byEndpoint === undefined) byService.set(service, (byEndpoint = new WeakMap()));
    const key = endpoint ?? NO_ENDPOINT;
    let byOverrides = byEndpoint.get(key);
    if (byOverrides === undefined) byEndpoint.set(key, (byOverrides = new WeakMap()));
    let cells = byOverrides.get(overrides);
    if (cells === undefined)
      byOverrides.set(overrides, (cells = this.#makePair(peers, service, endpoint, overrides)));
    return cells;
  }

  #makePair(
    peers: RequestPeers,
    service: Service,
    endpoint: Workload | undefined,
    overrides: readonly MetricOverride[],
  ): PairCells {
    const identity = endpoint === undefined ? undefined : workloadIdentity(endpoint);
    const fixed = [
      'waypoint',
      ...sideLabels(peers.source, peers.sourceIdentity),
      ...sideLabels(endpoint, endpoint?.tunnelProtocol === 'none' ? undefined : identity),
      ...serviceLabels(namedService(service)),
    ];
    const security = peers.sourceIdentity === undefined ? 'none' : 'mutual_tls';
    return new PairCells((protocol, status, flags, grpcStatus) => {
      const values = [...fixed, protocol, String(status), grpcStatus, flags, security];
      const of = (metric: RequestMetric): readonly string[] | undefined =>
        withOverride(overrides, metric, values);
      return {
        requests: cellOf(this.#requests, of('requests')),
        durationMs: histogramOf(this.#durations, of('duration')),
        requestBytes: histogramOf(this.#requestBytes, of('request_bytes')),
        responseBytes: histogramOf(this.#responseBytes, of('response_bytes')),
        messages:
          protocol === 'grpc'
            ? {
                requests: cellOf(this.#requestMessages, of('request_messages')),
                responses: cellOf(this.#responseMessages, of('response_messages')),
              }
            : undefined,
      };
    });
  }
}

const NO_OVERRIDES: readonly MetricOverride[] = Object.freeze([]);

/** Undefined: the metric is switched off. */
function withOverride(
  overrides: readonly MetricOverride[],
  metric: RequestMetric,
  values: readonly string[],
): readonly string[] | undefined {
  const found = overrides.find(override => override.metric === metric);
  if (found === undefined) return values;
  if (found.disabled) return undefined;
  return values.map(
    (value, index) => found.labels.find(({ name }) => name === REQUEST_LABELS[index])?.value ?? value,
  );
}

/** What is switched off is counted where nobody looks: the way of a request is the same. */
function cellOf(family: CellFamily, values: readonly string[] | undefined): Cell {
  return values === undefined ? { value: 0 } : family.cell(values);
}

const NOWHERE: HistogramCell = Object.freeze({
  counts: new Float64Array(0),
  sum: 0,
  observe: () => undefined,
});

function histogramOf(family: HistogramFamily, values: readonly string[] | undefined): HistogramCell {
  return values === undefined ? NOWHERE : family.cell(values);
}

function sideLabels(workload: Workload | undefined, principal: string | undefined): string[] {
  if (workload === undefined) {
    return [
      'unknown',
      'unknown',
      principal ?? 'unknown',
      'unknown',
      'unknown',
      'unknown',
      'unknown',
      'unknown',
    ];
  }
  return [
    workload.workloadName,
    workload.namespace,
    principal ?? 'unknown',
    workload.canonicalName,
    workload.canonicalRevision,
    workload.canonicalName,
    workload.canonicalRevision,
    workload.clusterId,
  ];
}
