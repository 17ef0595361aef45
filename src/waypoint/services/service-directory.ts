import type { Clock } from '#shared/lifecycle/clock.ts';
import type { AppliedChange } from '#shared/workload/mesh-store.ts';
import type { MeshView } from '#shared/workload/mesh-view.ts';
import type { EjectionListener } from '../balance/endpoint-health.ts';
import type { Place } from '../balance/locality.ts';
import { ServiceMemory } from './service-memory.ts';
import { ServiceState } from './service-state.ts';

export interface ServiceDirectoryOptions {
  readonly view: MeshView;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly place: () => Place;
  /** How many carry the waypoint's traffic; each gets its share of what is bounded for all of them. */
  readonly threads: number;
  /** Who hears of endpoints of a service (`<namespace>/<hostname>`) that are taken out. */
  readonly ejections: (service: string) => EjectionListener;
}

/** The compiled services of one thread: made when first asked for, dropped when the mesh changes under them. */
export class ServiceDirectory {
  readonly #options: ServiceDirectoryOptions;
  readonly #states = new Map<string, ServiceState>();
  readonly #memories = new Map<string, ServiceMemory>();

  constructor(options: ServiceDirectoryOptions) {
    this.#options = options;
  }

  /** `name` is `<namespace>/<hostname>`. */
  get(name: string): ServiceState | undefined {
    const known = this.#states.get(name);
    if (known !== undefined) return known;
    const { place, threads, view } = this.#options;
    const service = view.service(name);
    if (service === undefined) return undefined;
    const state = new ServiceState({ view, service, memory: this.#memory(name), place: place(), threads });
    this.#states.set(name, state);
    return state;
  }

  onChange(change: AppliedChange): void {
    const { view } = this.#options;
    for (const name of change.changedServices) {
      const state = this.#states.get(name);
      if (state !== undefined) state.stale = true;
      this.#states.delete(name);
      if (view.service(name) !== undefined) continue;
      this.#memories.get(name)?.close();
      this.#memories.delete(name);
    }
  }

  close(): void {
    for (const memory of this.#memories.values()) memory.close();
  }

  get states(): readonly ServiceState[] {
    return [...this.#states.values()];
  }

  /** For the admin page: endpoints, those that are out, and what is under way, by service and port. */
  dump(): readonly object[] {
    return this.states.flatMap(state => state.dump());
  }

  #memory(name: string): ServiceMemory {
    let memory = this.#memories.get(name);
    if (memory === undefined) {
      const { clock, ejections, random, threads } = this.#options;
      memory = new ServiceMemory({ clock, random, threads, listener: ejections(name) });
      this.#memories.set(name, memory);
    }
    return memory;
  }
}
