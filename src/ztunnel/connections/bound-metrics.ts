import type { CellFamily, MetricSet } from '#shared/observability/metric-set.ts';

/** Targets have labels of their own for the pod that is asked: these name the one whose traffic it is. */
const CAPTURED_POD = ['captured_namespace', 'captured_pod'] as const;

/** What the main thread tells. */
export function createBoundGauges(metrics: MetricSet): {
  readonly open: CellFamily;
  readonly limit: CellFamily;
} {
  return {
    open: metrics.gauge({
      name: 'ambient_pod_connections',
      help: 'Connections that captured pods have open: `outbound`, `inbound`, and `hbone`, those of other proxies that inbound ones come by.',
      labels: [...CAPTURED_POD, 'direction'],
    }),
    limit: metrics.gauge({
      name: 'ambient_connections_limit',
      help: 'Connections that may be open: of a `pod` in each direction, and of all pods of the `node`, of which no pod may have more than are left for all others.',
      labels: ['bound'],
    }),
  };
}

/** What each traffic thread counts. */
export function createRefusedConnections(metrics: MetricSet): CellFamily {
  return metrics.counter({
    name: 'ambient_connections_refused_total',
    help: 'Connections of captured pods that were refused for want of a place. `pod`: it has as many as `MAX_CONNECTIONS_PER_POD`, to be raised unless the pod leaks them; `node`: no more are left for all others, and ztunnel needs more descriptors or memory.',
    labels: [...CAPTURED_POD, 'direction', 'bound'],
  });
}
