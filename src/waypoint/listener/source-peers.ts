import type { MeshView } from '#shared/workload/mesh-view.ts';
import { type Workload, workloadIdentity } from '#shared/workload/workload.ts';
import type { RequestPeers } from '../telemetry/request-metrics.ts';

/** Identities without a known workload that are remembered. */
const MAX_STRANGERS = 1_000;

/**
 * Who is at the other end of a connection. The identity is proved by the certificate; the workload is looked up by address
 * and taken only when it has that identity. The same client gives the same object, by which metrics find their cells.
 */
export class SourcePeers {
  readonly #view: MeshView;
  readonly #network: string;
  readonly #known = new WeakMap<Workload, RequestPeers>();
  readonly #strangers = new Map<string, RequestPeers>();
  #anonymous: RequestPeers = { source: undefined, sourceIdentity: undefined };

  constructor(view: MeshView, network: string) {
    this.#view = view;
    this.#network = network;
  }

  /** @param sourceIp of the original client, canonical */
  find(identity: string | undefined, sourceIp: string): RequestPeers {
    if (identity === undefined) return this.#anonymous;
    const workload = this.#view.workloadByAddress(this.#network, sourceIp);
    if (workload === undefined || workloadIdentity(workload) !== identity) return this.#stranger(identity);
    let peers = this.#known.get(workload);
    if (peers === undefined)
      this.#known.set(workload, (peers = { source: workload, sourceIdentity: identity }));
    return peers;
  }

  #stranger(identity: string): RequestPeers {
    let peers = this.#strangers.get(identity);
    if (peers === undefined) {
      if (this.#strangers.size >= MAX_STRANGERS) this.#strangers.clear();
      this.#strangers.set(identity, (peers = { source: undefined, sourceIdentity: identity }));
    }
    return peers;
  }
}
