import type { CellFamily, MetricSet } from '../observability/metric-set.ts';
import type { Decision } from './decision.ts';

/** What policies have refused, and cut, of one thread. */
export class Denials {
  readonly #family: CellFamily;

  constructor(metrics: MetricSet) {
    this.#family = metrics.counter({
      name: 'ambient_authorization_denied_total',
      help: 'Connections and requests refused, or cut, by policy; `none`: ALLOW policies apply and no rule of them matched.',
      labels: ['policy', 'rule', 'destination_workload_namespace'],
    });
  }

  /** @param namespace of what was called */
  count({ policy, rule }: Decision, namespace: string): void {
    this.#family.cell([policy ?? 'none', rule === undefined ? 'none' : String(rule), namespace]).value++;
  }
}
