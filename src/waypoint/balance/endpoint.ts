import type { Workload } from '#shared/workload/workload.ts';

/**
 * One place a request can go to: a workload at one port. The same object is kept while its workload's place in the
 * service stays, whatever else changes, so that its load is not forgotten.
 */
export interface BalancedEndpoint {
  readonly uid: string;
  readonly workload: Workload;
  /** Port of the workload, already translated from the service's. */
  readonly targetPort: number;
  readonly load: EndpointLoad;
}

/** Requests in progress, from this thread. The caller counts: up before a try is sent, down when it is over. */
export interface EndpointLoad {
  active: number;
}

/** Loads by workload uid, kept over changes of the mesh. One for each thread. */
export class EndpointLoads {
  readonly #byUid = new Map<string, EndpointLoad>();

  get(uid: string): EndpointLoad {
    let load = this.#byUid.get(uid);
    if (load === undefined) {
      load = { active: 0 };
      this.#byUid.set(uid, load);
    }
    return load;
  }

  /** Forgets a workload that is gone. Requests still in progress keep their own reference. */
  delete(uid: string): void {
    this.#byUid.delete(uid);
  }

  get size(): number {
    return this.#byUid.size;
  }
}
