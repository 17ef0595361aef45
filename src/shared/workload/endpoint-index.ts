import type { Endpoint } from './mesh-view.ts';
import type { Workload } from './workload.ts';

const NONE: readonly Endpoint[] = Object.freeze([]);

interface EndpointSet {
  readonly byUid: Map<string, Endpoint>;
  /** In order of uid; undefined after a change until somebody asks. */
  sorted: readonly Endpoint[] | undefined;
}

/** Service name → its endpoints. Endpoints may be known before their service is. */
export class EndpointIndex {
  readonly #byService = new Map<string, EndpointSet>();

  add(workload: Workload): void {
    for (const [name, ports] of workload.services) {
      let set = this.#byService.get(name);
      if (set === undefined) this.#byService.set(name, (set = { byUid: new Map(), sorted: undefined }));
      set.byUid.set(workload.uid, { workload, ports });
      set.sorted = undefined;
    }
  }

  remove(workload: Workload): void {
    for (const name of workload.services.keys()) {
      const set = this.#byService.get(name);
      if (set === undefined) continue;
      set.byUid.delete(workload.uid);
      set.sorted = undefined;
      if (set.byUid.size === 0) this.#byService.delete(name);
    }
  }

  of(serviceName: string): readonly Endpoint[] {
    const set = this.#byService.get(serviceName);
    if (set === undefined) return NONE;
    set.sorted ??= [...set.byUid.values()].sort((a, b) => (a.workload.uid < b.workload.uid ? -1 : 1));
    return set.sorted;
  }
}
