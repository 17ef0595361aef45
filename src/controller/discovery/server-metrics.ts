import { RESOURCE_TYPES, type ResourceType } from '#shared/discovery/mesh-resource.ts';
import type { MetricSet } from '#shared/observability/metric-set.ts';
import type { WatchStatus } from './type-watch.ts';

/** How a client stands: the worst of its types. */
export type ClientState = WatchStatus['state'];

export const CLIENT_STATES: readonly ClientState[] = ['synced', 'stale', 'nack'];

/** What the controller counts of discovery. Names are Istio's pilot's where it has one. */
export interface ServerMetrics {
  onClients(count: number): void;
  onPush(type: ResourceType, resources: number): void;
  onNack(type: ResourceType): void;
  onRefused(): void;
  /** A client has confirmed all that had changed for it. */
  onConverged(seconds: number): void;
  /** Before a scrape. */
  update(clients: ReadonlyMap<ClientState, number>): void;
}

/** Those of pilot. */
const CONVERGENCE_BUCKETS = [0.1, 0.5, 1, 3, 5, 10, 20, 30];

export function createServerMetrics(metrics: MetricSet): ServerMetrics {
  const counter = (name: string, help: string, ...labels: string[]) =>
    metrics.counter({ name, help, labels });
  const clients = metrics.gauge({ name: 'pilot_xds', help: 'Connected discovery clients.', labels: [] });
  const states = metrics.gauge({
    name: 'ambient_xds_clients',
    help: 'Connected discovery clients that have confirmed everything (`synced`), have not yet (`stale`), or have refused some of it (`nack`).',
    labels: ['state'],
  });
  const pushes = counter('pilot_xds_pushes', 'Discovery responses sent, by resource type.', 'type');
  const resources = counter(
    'ambient_xds_pushed_resources_total',
    'Resources and removals sent, by resource type.',
    'type',
  );
  const nacks = counter('pilot_total_xds_rejects', 'NACKs received, by resource type.', 'type');
  const refused = counter(
    'ambient_xds_refused_streams_total',
    'Streams refused because the caller could not be authenticated.',
  );
  const convergence = metrics
    .histogram({
      name: 'pilot_proxy_convergence_time',
      help: 'Seconds from a change until a client has confirmed all that changed for it.',
      labels: [],
      buckets: CONVERGENCE_BUCKETS,
    })
    .cell([]);
  for (const type of RESOURCE_TYPES) for (const family of [pushes, resources, nacks]) family.cell([type]);
  const clientsCell = clients.cell([]);
  const refusedCell = refused.cell([]);
  return {
    onClients: count => void (clientsCell.value = count),
    onPush(type, count) {
      pushes.cell([type]).value++;
      resources.cell([type]).value += count;
    },
    onNack: type => void nacks.cell([type]).value++,
    onRefused: () => void refusedCell.value++,
    onConverged: seconds => convergence.observe(seconds),
    update(counts) {
      for (const state of CLIENT_STATES) states.cell([state]).value = counts.get(state) ?? 0;
    },
  };
}
