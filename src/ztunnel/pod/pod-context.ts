import type { HbonePool } from '#shared/hbone/session-pool.ts';
import type { PodPlaces } from '../connections/place-keeper.ts';
import type { TrafficContext } from './traffic-context.ts';
import type { Dialer } from './dialer.ts';
import { findLocalWorkload, type LocalWorkload, type LocalWorkloadInfo } from './local-workload.ts';

/** One local workload as its connections see it. */
export class PodContext {
  readonly traffic: TrafficContext;
  readonly dialer: Dialer;
  readonly pool: HbonePool;
  readonly places: PodPlaces;
  info: LocalWorkloadInfo;
  /** SPIFFE id, from what the node knows: it never changes while the pod runs. */
  readonly identity: string;
  #found: LocalWorkload | undefined;
  #foundVersion = -1;

  constructor(
    traffic: TrafficContext,
    info: LocalWorkloadInfo,
    dialer: Dialer,
    pool: HbonePool,
    places: PodPlaces,
  ) {
    this.traffic = traffic;
    this.info = info;
    this.dialer = dialer;
    this.pool = pool;
    this.places = places;
    this.identity = `spiffe://${traffic.settings.trustDomain}/ns/${info.namespace}/sa/${info.serviceAccount}`;
  }

  /** As of now; the same object while the mesh does not change. */
  current(): LocalWorkload {
    const { view, settings } = this.traffic;
    if (this.#found === undefined || this.#foundVersion !== view.version) {
      const found = findLocalWorkload(view, this.info, settings);
      // A provisional one is kept: metrics are cached by the object.
      if (found.known || this.#found?.known !== false) this.#found = found;
      this.#foundVersion = view.version;
    }
    return this.#found ?? findLocalWorkload(view, this.info, settings);
  }
}
