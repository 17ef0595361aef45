import type { MetricSet } from '../observability/metric-set.ts';
import { RESOURCE_TYPES, type ResourceType } from './mesh-resource.ts';

/** What a discovery client counts. The names are the incumbent ztunnel's, where it has one. */
export interface DiscoveryMetrics {
  onResponse(type: ResourceType, bytes: number): void;
  onRejected(type: ResourceType, count: number): void;
  onTermination(reason: 'disconnect' | 'connection_error'): void;
  onConnected(connected: boolean): void;
}

/** @param now wall clock, ms */
export function createDiscoveryMetrics(metrics: MetricSet, now: () => number): DiscoveryMetrics {
  const perType = { labels: ['url'] };
  const messages = metrics.counter({
    name: 'istio_xds_message_total',
    help: 'Discovery responses received, by resource type.',
    ...perType,
  });
  const bytes = metrics.counter({
    name: 'istio_xds_message_bytes_total',
    help: 'Bytes of discovery responses received, by resource type.',
    ...perType,
  });
  const rejected = metrics.counter({
    name: 'ambient_xds_rejected_resources_total',
    help: 'Resources that were not acceptable and answered with a NACK, by resource type.',
    ...perType,
  });
  const terminations = metrics.counter({
    name: 'istio_xds_connection_terminations_total',
    help: 'Discovery streams that ended, by reason.',
    labels: ['reason'],
  });
  const connected = metrics.gauge({
    name: 'ambient_xds_connected',
    help: '1 while there is a discovery stream with the controller.',
    labels: [],
  });
  const lastResponse = metrics.gauge({
    name: 'ambient_xds_last_response_timestamp_seconds',
    help: 'When the last discovery response came, in seconds since 1970; absent before the first.',
    labels: [],
  });
  // From the first scrape on, so that a rate can be taken.
  for (const type of RESOURCE_TYPES) for (const family of [messages, bytes, rejected]) family.cell([type]);
  for (const reason of ['disconnect', 'connection_error']) terminations.cell([reason]);
  const connectedCell = connected.cell([]);
  return {
    onResponse(type, size) {
      messages.cell([type]).value++;
      bytes.cell([type]).value += size;
      lastResponse.cell([]).value = now() / 1000;
    },
    onRejected: (type, count) => void (rejected.cell([type]).value += count),
    onTermination: reason => void terminations.cell([reason]).value++,
    onConnected: is => void (connectedCell.value = is ? 1 : 0),
  };
}
