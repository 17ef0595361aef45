import type { Cell, CellFamily, MetricSet } from '#shared/observability/metric-set.ts';
import { type ClassifiedEnd, isFailedRequest } from '#shared/route/classify.ts';
import type { RouteRule } from '#shared/route/model.ts';
import type { Service } from '#shared/workload/workload.ts';

interface RouteCells {
  readonly success: Cell;
  readonly failure: Cell;
}

/** The success rate of routes that say themselves what a failure is, of one thread. */
export class ClassifiedRequests {
  readonly #family: CellFamily;
  /** Weak, so that what the mesh forgets is forgotten here. */
  readonly #routes = new WeakMap<RouteRule, RouteCells>();

  constructor(metrics: MetricSet) {
    this.#family = metrics.counter({
      name: 'ambient_route_requests_total',
      help: 'Requests of routes with response classes (ServiceProfile), as success or failure by them.',
      labels: ['destination_service', 'destination_service_namespace', 'route', 'classification'],
    });
  }

  /** @param service the one addressed, whose route it is */
  count(service: Service, rule: RouteRule, end: ClassifiedEnd): void {
    const cells = this.#cellsOf(service, rule);
    const cell = isFailedRequest(rule.responseClasses, end) ? cells.failure : cells.success;
    cell.value++;
  }

  #cellsOf(service: Service, rule: RouteRule): RouteCells {
    const known = this.#routes.get(rule);
    if (known !== undefined) return known;
    const cell = (classification: string): Cell =>
      this.#family.cell([service.hostname, service.namespace, rule.name, classification]);
    const cells = { success: cell('success'), failure: cell('failure') };
    this.#routes.set(rule, cells);
    return cells;
  }
}
