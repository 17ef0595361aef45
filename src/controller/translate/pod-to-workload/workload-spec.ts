import type { TunnelProtocol, WorkloadType } from '#shared/workload/workload.ts';

/** The first labels of a name, before those of the namespace. */
export interface EndpointName {
  readonly hostname: string;
  /** The Service in which it is called so. */
  readonly service: string;
}

/**
 * Something that runs: a Pod, a WorkloadEntry, an ExternalWorkload, or an address of an EndpointSlice. All of it comes from its own object; what
 * other objects add (services, waypoint, policies, locality) is in `WorkloadContext`.
 */
export interface WorkloadSpec {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  /** What Consul calls the metadata of a service, where a pod says it: by annotations. */
  readonly consulMeta: Readonly<Record<string, string>>;
  /** Canonical text. */
  readonly addresses: readonly string[];
  /** Where there is no address: a name that proxies resolve. Empty otherwise. */
  readonly hostname: string;
  /** What it is called as an endpoint; undefined: nothing. */
  readonly endpointName: EndpointName | undefined;
  readonly node: string;
  readonly serviceAccount: string;
  readonly hostNetwork: boolean;
  readonly healthy: boolean;
  readonly tunnelProtocol: TunnelProtocol;
  readonly nativeTunnel: boolean;
  readonly workloadName: string;
  readonly workloadType: WorkloadType;
  /** Ports by name, for services that refer to them so. */
  readonly namedPorts: ReadonlyMap<string, number>;
  /** Those that Services reach; undefined: any. */
  readonly declaredPorts: ReadonlySet<number> | undefined;
  /** Empty: the cluster's. */
  readonly network: string;
  /** `region/zone/subzone`, where the object says so itself. */
  readonly locality: string;
  readonly capacity: number;
}
