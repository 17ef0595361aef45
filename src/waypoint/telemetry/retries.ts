import type { CellFamily, MetricSet } from '#shared/observability/metric-set.ts';
import type { Service } from '#shared/workload/workload.ts';
import { namedService } from '#shared/workload/workload-service.ts';
import { serviceLabels } from '#shared/observability/tcp-metrics.ts';

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

  count(service: Service, retries: number, failed: boolean): void {
    const result = failed ? 'failure' : 'success';
    this.#family.cell([...serviceLabels(namedService(service)), result]).value += retries;
  }
}
