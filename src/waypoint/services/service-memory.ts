import type { Clock } from '#shared/lifecycle/clock.ts';
import type { RetryBudgetConfig, RouteRule } from '#shared/route/model.ts';
import { BalancerMemory, type BalancerMemoryOptions } from '../balance/balancer-memory.ts';
import { RetryBudget } from '../retry/budget.ts';

export interface ServiceMemoryOptions extends BalancerMemoryOptions {
  readonly clock: Clock;
  /** How many carry the waypoint's traffic; each gets its share of what is bounded for all of them. */
  readonly threads: number;
}

interface KeptBudget {
  readonly config: RetryBudgetConfig;
  readonly budget: RetryBudget;
}

/** What outlives a change of a service's definition, in one thread. */
export class ServiceMemory {
  readonly #options: ServiceMemoryOptions;
  readonly #budgets = new Map<string, KeptBudget>();
  readonly #balancers = new Map<string, BalancerMemory>();

  constructor(options: ServiceMemoryOptions) {
    this.#options = options;
  }

  /** Of the service (`rule` undefined) or of one rule. The same while its configuration is. */
  budget(rule: RouteRule['name'] | undefined, config: RetryBudgetConfig): RetryBudget {
    const key = rule ?? '';
    const known = this.#budgets.get(key);
    if (known !== undefined && sameBudget(known.config, config)) return known.budget;
    const { clock, threads } = this.#options;
    const budget = new RetryBudget({ ...config, minPerSecond: config.minPerSecond / threads }, clock);
    this.#budgets.set(key, { config, budget });
    return budget;
  }

  balancer(port: number, subset: string | undefined): BalancerMemory {
    const key = `${port}/${subset ?? ''}`;
    let memory = this.#balancers.get(key);
    if (memory === undefined) this.#balancers.set(key, (memory = new BalancerMemory(this.#options)));
    return memory;
  }

  /** The service has changed: rules and subsets that are gone are forgotten. */
  retain(rules: ReadonlySet<string>, subsets: ReadonlySet<string>): void {
    for (const name of this.#budgets.keys()) if (name !== '' && !rules.has(name)) this.#budgets.delete(name);
    for (const [key, memory] of this.#balancers) {
      const subset = key.slice(key.indexOf('/') + 1);
      if (subset === '' || subsets.has(subset)) continue;
      memory.close();
      this.#balancers.delete(key);
    }
  }

  /** The service is gone. */
  close(): void {
    for (const memory of this.#balancers.values()) memory.close();
  }
}

function sameBudget(a: RetryBudgetConfig, b: RetryBudgetConfig): boolean {
  return a.ratio === b.ratio && a.minPerSecond === b.minPerSecond && a.ttlMs === b.ttlMs;
}
