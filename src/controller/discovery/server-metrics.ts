import { RESOURCE_TYPES, type ResourceType } from '#shared/discovery/mesh-resource.ts';
import type { MetricSet } from '#shared/observability/metric-set.ts';

/** What the controller counts of discovery. Names are Istio's pilot's where it has one. */
export interface ServerMetrics {
  onClients(count: number): void;
  onPush(type: ResourceType, resources: number): void;
  onNack(type: ResourceType): void;
  onRefused(): void;
}

export function createServerMetrics(metrics: MetricSet): ServerMetrics {
  const clients = metrics.gauge({ name: 'pilot_xds', help: 'Connected discovery clients.', labels: [] });
  const pushes = metrics.counter({
    name: 'pilot_xds_pushes',
    help: 'Discovery responses sent, by resource type.',
    labels: ['type'],
  });
  const resources = metrics.counter({
    name: 'ambient_xds_pushed_resources_total',
    help: 'Resources and removals sent, by resource type.',
    labels: ['type'],
  });
  const nacks = metrics.counter({
    name: 'pilot_total_xds_rejects',
    help: 'NACKs received, by resource type.',
    labels: ['type'],
  });
  const refused = metrics.counter({
    name: 'ambient_xds_refused_streams_total',
    help: 'Streams refused because the caller could not be authenticated.',
    labels: [],
  });
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
  };
}
