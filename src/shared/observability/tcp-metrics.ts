import type { Cell, CellFamily, MetricSet } from './metric-set.ts';
import type { TcpResponseFlag } from './response-flags.ts';
import type { Service, Workload } from '../workload/workload.ts';
import type { ConnectionPeers } from './connection-peers.ts';

/** In this order everywhere. */
const SIDE_LABELS = [
  'workload',
  'canonical_service',
  'canonical_revision',
  'workload_namespace',
  'principal',
  'app',
  'version',
  'cluster',
  'region',
  'zone',
] as const;

export const TCP_LABELS: readonly string[] = [
  'reporter',
  ...SIDE_LABELS.map(label => `source_${label}`),
  ...SIDE_LABELS.map(label => `destination_${label}`),
  'destination_service',
  'destination_service_name',
  'destination_service_namespace',
  'request_protocol',
  'response_flags',
  'connection_security_policy',
];

/** The counters of one pair of peers: resolved once, added to by every connection between them. */
export interface TcpCells {
  readonly opened: Cell;
  readonly closed: Cell;
  /** Response bytes: destination → source. */
  readonly sent: Cell;
  /** Request bytes: source → destination. */
  readonly received: Cell;
}

interface CachedCells {
  readonly peers: ConnectionPeers;
  readonly cells: TcpCells;
}

/** Stands for "nobody known" as a key. */
const NOBODY = {};

/** `istio_tcp_*` of one thread. */
export class TcpMetrics {
  readonly #opened: CellFamily;
  readonly #closed: CellFamily;
  readonly #sent: CellFamily;
  readonly #received: CellFamily;
  readonly #failed: CellFamily;
  /** Sockets of connections carried at this moment, both sides of each. */
  readonly socketsOpen: Cell;
  /** By the objects themselves, so that a changed workload gets new labels and a removed one is forgotten. */
  readonly #cache = new WeakMap<object, WeakMap<object, CachedCells[]>>();

  constructor(metrics: MetricSet) {
    const counter = (name: string, help: string): CellFamily =>
      metrics.counter({ name, help, labels: TCP_LABELS });
    this.#opened = counter('istio_tcp_connections_opened_total', 'TCP connections opened.');
    this.#closed = counter('istio_tcp_connections_closed_total', 'TCP connections closed.');
    this.#sent = counter('istio_tcp_sent_bytes_total', 'Bytes sent in responses.');
    this.#received = counter('istio_tcp_received_bytes_total', 'Bytes received in requests.');
    this.#failed = counter(
      'istio_tcp_connections_failed_total',
      'TCP connections that failed, by response flag.',
    );
    this.socketsOpen = metrics
      .gauge({ name: 'istio_tcp_sockets_open', help: 'TCP sockets of connections carried now.', labels: [] })
      .cell([]);
  }

  cells(peers: ConnectionPeers): TcpCells {
    const known = this.#cached(peers);
    for (const entry of known) if (samePeers(entry.peers, peers)) return entry.cells;
    const labels = labelValues(peers, '-');
    const cells: TcpCells = {
      opened: this.#opened.cell(labels),
      closed: this.#closed.cell(labels),
      sent: this.#sent.cell(labels),
      received: this.#received.cell(labels),
    };
    known.push({ peers, cells });
    return cells;
  }

  countFailure(peers: ConnectionPeers, flag: TcpResponseFlag): void {
    this.#failed.cell(labelValues(peers, flag)).value++;
  }

  #cached(peers: ConnectionPeers): CachedCells[] {
    const from = peers.source ?? NOBODY;
    const to = peers.destination ?? peers.service ?? NOBODY;
    let byDestination = this.#cache.get(from);
    if (byDestination === undefined)
      this.#cache.set(from, (byDestination = new WeakMap<object, CachedCells[]>()));
    let entries = byDestination.get(to);
    if (entries === undefined) byDestination.set(to, (entries = []));
    // Plaintext of many identities to nowhere in particular: bounded, resolving again is cheap enough.
    if (entries.length >= 32) entries.length = 0;
    return entries;
  }
}

function samePeers(a: ConnectionPeers, b: ConnectionPeers): boolean {
  return (
    a.reporter === b.reporter &&
    a.source === b.source &&
    a.destination === b.destination &&
    a.service === b.service &&
    a.security === b.security &&
    a.sourceIdentity === b.sourceIdentity &&
    a.destinationIdentity === b.destinationIdentity
  );
}

function labelValues(peers: ConnectionPeers, flag: TcpResponseFlag): string[] {
  return [
    peers.reporter,
    ...sideValues(peers.source, peers.sourceIdentity),
    ...sideValues(peers.destination, peers.destinationIdentity),
    ...serviceLabels(peers.service),
    'tcp',
    flag,
    peers.security,
  ];
}

function sideValues(workload: Workload | undefined, identity: string | undefined): string[] {
  const w = workload;
  return [
    orUnknown(w?.workloadName),
    orUnknown(w?.canonicalName),
    orUnknown(w?.canonicalRevision),
    orUnknown(w?.namespace),
    orUnknown(identity),
    orUnknown(w?.canonicalName),
    orUnknown(w?.canonicalRevision),
    orUnknown(w?.clusterId),
    orUnknown(w?.locality.region),
    orUnknown(w?.locality.zone),
  ];
}

/** `destination_service`, `_name`, `_namespace`. */
export function serviceLabels(service: Service | undefined): string[] {
  return [orUnknown(service?.hostname), orUnknown(service?.name), orUnknown(service?.namespace)];
}

function orUnknown(value: string | undefined): string {
  return value === undefined || value === '' ? 'unknown' : value;
}
