import type { Clock } from '#shared/lifecycle/clock.ts';
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
  readonly #states = new Map<string, ServiceState>();
  readonly #memories = new Map<string, ServiceMemory>();
  readonly #loads = new EndpointLoads();

  constructor(view: MeshView, clock: Clock, place: () => Place) {
    this.#view = view;
    this.#clock = clock;
    this.#place = place;
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

  #memory(name: string): ServiceMemory {
    let memory = this.#memories.get(name);
    if (memory === undefined) {
      const config = this.#view.routes(name)?.trafficPolicy.retryBudget ?? DEFAULT_RETRY_BUDGET;
      memory = { budget: new RetryBudget(config, this.#clock), cursors: new Map() };
      this.#memories.set(name, memory);
    }
    return memory;
  }
}
