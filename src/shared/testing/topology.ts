import { EMPTY_MATCH, type AuthorizationPolicy, type Match } from '../authz/policy.ts';
import { NO_ROUTES, type ServiceRoutes } from '../route/model.ts';
import { EMPTY_DELTA, type MeshDelta } from '../workload/mesh-view.ts';
import { MeshStore } from '../workload/mesh-store.ts';
import {
  type GatewayAddress,
  SERVICE_DEFAULTS,
  type Service,
  type ServicePort,
  type Workload,
} from '../workload/workload.ts';

/**
 * Builders of mesh objects for tests: every field has the value an ordinary pod or Service of namespace `default` has,
 * and a test names only what it is about.
 */
export function workload(name: string, fields: Partial<Workload> = {}): Workload {
  const namespace = fields.namespace ?? 'default';
  return {
    uid: `Kubernetes//Pod/${namespace}/${name}`,
    name,
    namespace,
    addresses: [],
    hostname: '',
    dnsName: '',
    network: '',
    tunnelProtocol: 'hbone',
    trustDomain: 'cluster.local',
    serviceAccount: name,
    waypoint: undefined,
    networkGateway: undefined,
    node: 'node-a',
    canonicalName: name,
    canonicalRevision: 'latest',
    workloadType: 'deployment',
    workloadName: name,
    nativeTunnel: false,
    applicationTunnel: undefined,
    services: new Map(),
    authorizationPolicies: [],
    status: 'healthy',
    clusterId: 'Kubernetes',
    locality: { region: '', zone: '', subzone: '' },
    networkMode: 'standard',
    capacity: 1,
    ...fields,
  };
}

/** Host name `<name>.<namespace>.svc.cluster.local` unless told. */
export function service(name: string, fields: Partial<Service> & { vip?: string } = {}): Service {
  const { vip, ...rest } = fields;
  const namespace = rest.namespace ?? 'default';
  return {
    name,
    namespace,
    hostname: `${name}.${namespace}.svc.cluster.local`,
    addresses: vip === undefined ? [] : [{ network: '', ip: vip, prefixLength: undefined }],
    ports: [port(80, 8080)],
    ...SERVICE_DEFAULTS,
    ...rest,
  };
}

export function port(servicePort: number, targetPort = servicePort): ServicePort {
  return { servicePort, targetPort, appProtocol: 'unknown' };
}

/** For `Workload.services`: this workload is an endpoint of the services, on their own ports. */
export function endpointOf(...services: readonly Service[]): ReadonlyMap<string, readonly ServicePort[]> {
  return new Map(services.map(s => [`${s.namespace}/${s.hostname}`, s.ports]));
}

export function waypointAt(ip: string, hboneMtlsPort = 15008): GatewayAddress {
  return { kind: 'address', network: '', ip, hboneMtlsPort };
}

export function waypointOf(gateway: Service, hboneMtlsPort = 15008): GatewayAddress {
  return { kind: 'hostname', namespace: gateway.namespace, hostname: gateway.hostname, hboneMtlsPort };
}

/** One rule with one clause with the given matches; scope `workload_selector` unless told. */
export function policy(
  name: string,
  action: AuthorizationPolicy['action'],
  matches: readonly Partial<Match>[],
  fields: Partial<AuthorizationPolicy> = {},
): AuthorizationPolicy {
  return {
    name,
    namespace: 'default',
    scope: 'workload_selector',
    action,
    rules: [{ clauses: [{ matches: matches.map(match => ({ ...EMPTY_MATCH, ...match })) }] }],
    dryRun: false,
    provider: undefined,
    ...fields,
  };
}

/** Routes of a service that nothing is attached to. */
export function noRoutes(of: Service, fields: Partial<ServiceRoutes> = {}): ServiceRoutes {
  return {
    namespace: of.namespace,
    hostname: of.hostname,
    ...NO_ROUTES,
    ...fields,
  };
}

export function delta(fields: Partial<MeshDelta>): MeshDelta {
  return { ...EMPTY_DELTA, ...fields };
}

/** A store that holds just these objects. */
export function mesh(fields: Partial<MeshDelta>): MeshStore {
  const store = new MeshStore();
  store.apply(delta(fields));
  return store;
}
