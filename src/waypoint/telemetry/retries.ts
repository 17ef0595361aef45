import type { CellFamily, MetricSet } from '#shared/observability/metric-set.ts';
import type { Service } from '#shared/workload/workload.ts';

/** Tries beyond the first of each request, of one thread. */
export class RetryMetrics {
  readonly #family: CellFamily;

  constructor(metrics: MetricSet) {
    this.#family = metrics.counter({
      name: 'ambient_request_retries_total',
      help: 'Tries beyond the first, hedged ones included, by what came of the request in the end: `success` or `failure`.',
      labels: ['destination_service', 'destination_service_name', 'destination_service_namespace', 'result'],
    });
  }

  count({ hostname, name, namespace }: Service, retries: number, failed: boolean): void {
    this.#family.cell([hostname, name, namespace, failed ? 'failure' : 'success']).value += retries;
  }
}
