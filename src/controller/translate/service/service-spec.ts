import type { LabelSelector } from '#shared/kube/label-selector.ts';
import type { AppProtocol } from '#shared/workload/workload.ts';

/** A Service, or a host of a ServiceEntry, as the index keeps it: what its workloads and its own translation need. */
export interface ServiceSpec {
  readonly name: string;
  readonly namespace: string;
  readonly hostname: string;
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
  /** A number, or the name of a port of the pod. An endpoint of a ServiceEntry may have its own under the port's name. */
  readonly targetPort: number | string;
  readonly appProtocol: AppProtocol;
}

/** Without a selector a Service has no pods of its own. */
export function podsOf({ selector }: ServiceSpec): LabelSelector | undefined {
  return selector.size === 0 ? undefined : { labels: selector, expressions: [] };
}
