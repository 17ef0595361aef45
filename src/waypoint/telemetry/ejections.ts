import type { Logger } from '#shared/observability/logger.ts';
import type { CellFamily, MetricSet } from '#shared/observability/metric-set.ts';
import { isOfWorkload } from '#shared/workload/workload-service.ts';
import type { EjectionListener } from '../balance/endpoint-health.ts';

/** Endpoints that are left out for failing: counted by service and reason, and told in the log. */
export class EjectionTelemetry {
  readonly #ejections: CellFamily;
  readonly #returns: CellFamily;
  readonly #logger: Logger;

  constructor(metrics: MetricSet, logger: Logger) {
    this.#logger = logger;
    this.#ejections = metrics.counter({
      name: 'ambient_endpoint_ejections_total',
      help: 'Endpoints that were left out for failing, by reason.',
      labels: ['destination_service', 'reason'],
    });
    this.#returns = metrics.counter({
      name: 'ambient_endpoint_returns_total',
      help: 'Endpoints that were let back in.',
      labels: ['destination_service'],
    });
  }

  /** `service`: `<namespace>/<hostname>`. */
  readonly ofService = (service: string): EjectionListener => {
    const hostname = service.slice(service.indexOf('/') + 1);
    // Each pod a series would be too many.
    const label = isOfWorkload({ hostname }) ? 'unknown' : hostname;
    return {
      onEject: (uid, reason, forMs) => {
        this.#ejections.cell([label, reason]).value++;
        // One that cannot be connected to is told of by the requests that meet it.
        const level = reason === 'connect_failure' ? 'debug' : 'info';
        this.#logger[level]('endpoint left out', {
          'dst.service': hostname,
          'dst.workload': uid,
          reason,
          forMs: Math.round(forMs),
        });
      },
      onReturn: uid => {
        this.#returns.cell([label]).value++;
        this.#logger.debug('endpoint is back', { 'dst.service': hostname, 'dst.workload': uid });
      },
    };
  };
}
