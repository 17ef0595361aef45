import type { Visibility } from './visibility.ts';

/**
 * The internal model of what the mesh consists of. Made from `istio.workload` resources at the boundary
 * (`#shared/discovery/`) and trusted from there on. IP addresses are canonical text (`#shared/workload/ip.ts`).
 */
export interface Workload {
  /** `<cluster>/<group>/<kind>/<namespace>/<name>`; the resource's name on the wire. */
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly addresses: readonly string[];
  /** A name that its addresses are found by, where the mesh says none. */
  readonly hostname: string;
  /** What name servers call it as the endpoint of a Service: `web-0.web.shop.svc.cluster.local`. Empty: it has no such name. */
  readonly dnsName: string;
  readonly network: string;
  readonly tunnelProtocol: TunnelProtocol;
  readonly trustDomain: string;
  readonly serviceAccount: string;
  readonly waypoint: GatewayAddress | undefined;
  readonly networkGateway: GatewayAddress | undefined;
  readonly node: string;
  readonly canonicalName: string;
  readonly canonicalRevision: string;
  readonly workloadType: WorkloadType;
  readonly workloadName: string;
  readonly nativeTunnel: boolean;
  readonly applicationTunnel: ApplicationTunnel | undefined;
  /** Service name (`<namespace>/<hostname>`) → its ports on this workload. */
  readonly services: ReadonlyMap<string, readonly ServicePort[]>;
  /** Names (`<namespace>/<name>`) of policies that select this workload. */
  readonly authorizationPolicies: readonly string[];
  readonly status: 'healthy' | 'unhealthy';
  readonly clusterId: string;
  readonly locality: Locality;
  readonly networkMode: 'standard' | 'host_network';
  /** Relative share of connections; 1 when the wire says nothing, 0 takes none. */
  readonly capacity: number;
}

export interface Service {
  readonly name: string;
  readonly namespace: string;
  readonly hostname: string;
  readonly addresses: readonly NetworkAddress[];
  readonly ports: readonly ServicePort[];
  readonly subjectAltNames: readonly string[];
  readonly waypoint: GatewayAddress | undefined;
  readonly loadBalancing: LoadBalancing | undefined;
  readonly ipFamilies: 'automatic' | 'ipv4_only' | 'ipv6_only' | 'dual';
  readonly canonical: boolean;
  readonly ingressUseWaypoint: boolean;
  readonly weightedWaypoints: readonly WeightedWaypoint[];
  readonly visibility: Visibility;
}

/** What a service has of which nothing is asked but to be reached. */
export const SERVICE_DEFAULTS = Object.freeze({
  subjectAltNames: [],
  waypoint: undefined,
  loadBalancing: undefined,
  ipFamilies: 'automatic',
  canonical: true,
  ingressUseWaypoint: false,
  weightedWaypoints: [],
  visibility: 'public',
} satisfies Partial<Service>);

export type TunnelProtocol = 'none' | 'hbone' | 'legacy_istio_mtls';
export type WorkloadType = 'deployment' | 'cronjob' | 'pod' | 'job';
export type AppProtocol = 'unknown' | 'http11' | 'http2' | 'grpc' | 'tcp' | 'tls';

export interface ServicePort {
  readonly servicePort: number;
  /** 0: the same as `servicePort`. */
  readonly targetPort: number;
  readonly appProtocol: AppProtocol;
}

export interface NetworkAddress {
  readonly network: string;
  readonly ip: string;
  /** Prefix length of a CIDR address; undefined for a host. */
  readonly prefixLength: number | undefined;
}

export type GatewayAddress =
  | {
      readonly kind: 'hostname';
      readonly namespace: string;
      readonly hostname: string;
      readonly hboneMtlsPort: number;
    }
  | {
      readonly kind: 'address';
      readonly network: string;
      readonly ip: string;
      readonly hboneMtlsPort: number;
    };

export interface WeightedWaypoint {
  readonly destination: GatewayAddress;
  readonly weight: number;
}

export interface ApplicationTunnel {
  readonly protocol: 'none' | 'proxy';
  readonly port: number;
}

export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subzone: string;
}

export type LocalityScope = 'region' | 'zone' | 'subzone' | 'node' | 'cluster' | 'network';

export interface LoadBalancing {
  readonly routingPreference: readonly LocalityScope[];
  readonly mode: 'unspecified' | 'strict' | 'failover' | 'passthrough';
  readonly healthPolicy: 'only_healthy' | 'allow_all';
}

/** The resource name of a service on the wire. */
export function serviceName(service: Pick<Service, 'namespace' | 'hostname'>): string {
  return `${service.namespace}/${service.hostname}`;
}

/** `<cluster>/<group>/<kind>/<namespace>/<name>` of a pod: its addresses are what the cluster gave it, not what somebody wrote. */
const POD_UID = /^[^/]*\/[^/]*\/Pod\//;

export function isPod({ uid }: Pick<Workload, 'uid'>): boolean {
  return POD_UID.test(uid);
}

/** The SPIFFE id a workload proves itself with. */
export function workloadIdentity(w: Pick<Workload, 'trustDomain' | 'namespace' | 'serviceAccount'>): string {
  return `spiffe://${w.trustDomain}/ns/${w.namespace}/sa/${w.serviceAccount}`;
}
