import type { AppProtocol } from '#shared/workload/workload.ts';

/** A Kubernetes Service as the index keeps it: what its workloads and its own translation need. */
export interface ServiceSpec {
  readonly name: string;
  readonly namespace: string;
  /** Empty: the endpoints come from EndpointSlices alone. */
  readonly selector: ReadonlyMap<string, string>;
  readonly ports: readonly ServiceSpecPort[];
  /** Canonical text; empty for a headless service. */
  readonly clusterIps: readonly string[];
  readonly publishNotReadyAddresses: boolean;
}

export interface ServiceSpecPort {
  readonly name: string;
  readonly port: number;
  /** A number, or the name of a port of the pod. */
  readonly targetPort: number | string;
  readonly appProtocol: AppProtocol;
}
