import type { Workload } from '#shared/workload/workload.ts';
import type { EndpointHealth } from './endpoint-health.ts';
import type { Latency } from './latency.ts';
import type { ReportedWeight } from './reported-weight.ts';

/**
 * One place a request can go to: a workload at one port. The state is the same object while the workload is an endpoint of
 * the service, whatever else changes, so that its load and its failures are not forgotten.
 */
export interface BalancedEndpoint {
  readonly uid: string;
  readonly workload: Workload;
  /** Port of the workload, already translated from the service's. */
  readonly targetPort: number;
  readonly load: EndpointLoad;
}

/** Counts the endpoints of a group that are out; told whenever that changes. */
export interface OutCount {
  count(change: 1 | -1): void;
}

/** What one thread knows of an endpoint of one balancer. */
export class EndpointLoad {
  /** Requests in progress, from this thread. The caller counts: up before a try is sent, down when it is over. */
  active = 0;
  /** When it became an endpoint, monotonic ms; -Infinity for those that were there from the start. */
  readonly addedMs: number;
  /** Undefined unless the balancer goes by it. */
  latency: Latency | undefined;
  /** Undefined unless the balancer goes by it. */
  reported: ReportedWeight | undefined;
  /** Undefined in tests of other things. */
  health: EndpointHealth | undefined;
  #out = false;
  #group: OutCount | undefined;

  constructor(addedMs = Number.NEGATIVE_INFINITY) {
    this.addedMs = addedMs;
  }

  /** Left out by its health: picked only when everything is. */
  get out(): boolean {
    return this.#out;
  }

  setOut(out: boolean): void {
    if (this.#out === out) return;
    this.#out = out;
    this.#group?.count(out ? 1 : -1);
  }

  /** A new balancer has taken over. */
  join(group: OutCount): void {
    this.#group = group;
    if (this.#out) group.count(1);
  }
}

/** The endpoints of one balancer, by workload uid, kept over changes of the mesh. */
export class EndpointLoads {
  readonly #byUid = new Map<string, EndpointLoad>();
  readonly #make: (uid: string, first: boolean) => EndpointLoad;

  /** @param make `first`: no endpoint was there before, so that none is newer than the others */
  constructor(make: (uid: string, first: boolean) => EndpointLoad = () => new EndpointLoad()) {
    this.#make = make;
  }

  get size(): number {
    return this.#byUid.size;
  }

  /** One for each of `uids`; those of endpoints that are gone are forgotten. Requests in progress keep their own reference. */
  retain(uids: readonly string[]): EndpointLoad[] {
    const first = this.#byUid.size === 0;
    const kept = new Set(uids);
    for (const [uid, load] of this.#byUid) {
      if (kept.has(uid)) continue;
      this.#byUid.delete(uid);
      load.health?.close();
    }
    return uids.map(uid => {
      let load = this.#byUid.get(uid);
      if (load === undefined) this.#byUid.set(uid, (load = this.#make(uid, first)));
      return load;
    });
  }

  entries(): Iterable<[string, EndpointLoad]> {
    return this.#byUid;
  }
}
