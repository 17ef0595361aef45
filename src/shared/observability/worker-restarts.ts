import type { Cell, MetricSet } from './metric-set.ts';

/** The count by which an alert tells that a proxy's threads crash, while those that are left serve in their place. */
export function registerWorkerRestarts(metrics: MetricSet): Cell {
  return metrics
    .counter({
      name: 'ambient_worker_restarts_total',
      help: 'Traffic threads that ended and were started again.',
      labels: [],
    })
    .cell([]);
}
