import type { SocketEndpoint } from '#shared/engine/channel.ts';
import type { MeshView } from '#shared/workload/mesh-view.ts';
import { isPod, workloadIdentity } from '#shared/workload/workload.ts';

/** Who opened a tunnel, and whom it says it speaks for. */
export interface TunnelSource {
  /** SPIFFE id that the peer proved. */
  readonly peerIdentity: string;
  readonly remote: SocketEndpoint;
  /** From the header `forwarded`. */
  readonly forwarded: SocketEndpoint | undefined;
}

/**
 * The address that policies compare and logs name. `forwarded` is a header that any workload of the mesh can write, so
 * it is believed for the peer's own address, or for one of a pod with the identity the peer proved: anybody else
 * could borrow the address that a policy lets in, as could who writes it into a WorkloadEntry. Pure.
 */
export function originalSource(view: MeshView, network: string, source: TunnelSource): SocketEndpoint {
  const { forwarded, peerIdentity, remote } = source;
  if (forwarded === undefined || forwarded.ip === remote.ip) return forwarded ?? remote;
  const owner = view.workloadByAddress(network, forwarded.ip);
  return owner !== undefined && isPod(owner) && workloadIdentity(owner) === peerIdentity ? forwarded : remote;
}
