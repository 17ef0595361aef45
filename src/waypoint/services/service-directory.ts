import type { Clock } from '#shared/lifecycle/clock.ts';
import type { RetryBudgetConfig } from '#shared/route/model.ts';
import type { AppliedChange } from '#shared/workload/mesh-store.ts';
import type { MeshView } from '#shared/workload/mesh-view.ts';
import { EndpointLoads } from '../balance/endpoint.ts';
import type { Place } from '../balance/locality.ts';
import { DEFAULT_RETRY_BUDGET, RetryBudget } from '../retry/budget.ts';
import { type ServiceMemory, ServiceState } from './service-state.ts';

/** The compiled services of one thread: made when first asked for, dropped when the mesh changes under them. */
export class ServiceDirectory {
  readonly #view: MeshView;
  readonly #clock: Clock;
  readonly #place: () => Place;
  readonly #threads: number;
  readonly #states = new Map<string, ServiceState>();
  readonly #memories = new Map<string, ServiceMemory>();
  readonly #loads = new EndpointLoads();

  /** `threads`: how many carry the waypoint's traffic; each gets its share of what is bounded for all of them. */
  constructor(view: MeshView, clock: Clock, place: () => Place, threads: number) {
    this.#view = view;
    this.#clock = clock;
    this.#place = place;
    this.#threads = threads;
  }

  /** `name` is `<namespace>/<hostname>`. */
  get(name: string): ServiceState | undefined {
    const known = this.#states.get(name);
    if (known !== undefined) return known;
    const service = this.#view.service(name);
    if (service === undefined) return undefined;
    const state = new ServiceState(this.#view, service, this.#memory(name), this.#loads, this.#place());
    this.#states.set(name, state);
    return state;
  }

  onChange(change: AppliedChange): void {
    for (const name of change.changedServices) {
      const state = this.#states.get(name);
      if (state === undefined) continue;
      state.stale = true;
      this.#states.delete(name);
      if (this.#view.service(name) === undefined) this.#memories.delete(name);
    }
    for (const uid of change.evictedWorkloads) {
      if (this.#view.workload(uid) === undefined) this.#loads.delete(uid);
    }
  }

  get states(): readonly ServiceState[] {
    return [...this.#states.values()];
  }

  /** Kept while the budget's configuration stays the same, whatever else about the service changes. */
  #memory(name: string): ServiceMemory {
    const config = this.#view.routes(name)?.trafficPolicy.retryBudget ?? DEFAULT_RETRY_BUDGET;
    const known = this.#memories.get(name);
    if (known !== undefined && sameBudget(known.budgetConfig, config)) return known;
    const share = { ...config, minPerSecond: config.minPerSecond / this.#threads };
    const memory = {
      budgetConfig: config,
      budget: new RetryBudget(share, this.#clock),
      cursors: known?.cursors ?? new Map(),
    };
    this.#memories.set(name, memory);
    return memory;
  }
}

function sameBudget(a: RetryBudgetConfig, b: RetryBudgetConfig): boolean {
  return a.ratio === b.ratio && a.minPerSecond === b.minPerSecond && a.ttlMs === b.ttlMs;
}
