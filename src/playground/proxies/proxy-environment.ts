import { CLUSTER_DOMAIN } from '../objects/hosts-file.ts';
import type { StateLayout } from '../state-layout.ts';

/** The one place that knows how each tier is configured (docs/environment.md). */
export type ProxyEnvironment = Readonly<Record<string, string>>;

const TRUST_DOMAIN = 'cluster.local';
const CLUSTER_ID = 'Kubernetes';
export const SYSTEM_NAMESPACE = 'ambient-system';
const CONTROLLER_PORT = 15012;
const HBONE_PORT = 15008;
const STATS_PORT = 15020;
export const READINESS_PORT = 15021;
/** Leaves as short as they may be, so that their rotation can be watched. */
const LEAF_TTL = '1m';

export interface ProxyOptions {
  readonly layout: StateLayout;
  readonly name: string;
  readonly controllerIp: string;
  /** Address of the process itself. */
  readonly ip: string;
}

export function controllerEnvironment(options: ProxyOptions): ProxyEnvironment {
  const { layout, name, ip } = options;
  return {
    ...operationsEnvironment(options),
    SOURCE: 'directory',
    CONFIG_DIR: layout.objects,
    DATA_DIR: layout.dataOf(name),
    ROOT_CERT_FILE: rootCertificates(layout),
    TRUST_DOMAIN,
    CLUSTER_ID,
    CLUSTER_DOMAIN,
    ROOT_NAMESPACE: SYSTEM_NAMESPACE,
    XDS_ADDRESS: `${ip}:${CONTROLLER_PORT}`,
    WORKLOAD_CERT_TTL: LEAF_TTL,
  };
}

/** `PROXY_MODE=shared`: the ztunnel of a node. */
export function nodeZtunnelEnvironment(options: ProxyOptions, node: string): ProxyEnvironment {
  return {
    ...discoveryEnvironment(options),
    PROXY_MODE: 'shared',
    NODE_NAME: node,
    POD_NAME: options.name,
    POD_NAMESPACE: SYSTEM_NAMESPACE,
    POD_SOURCE_DIR: options.layout.podsOf(node),
  };
}

export interface WorkloadOptions extends ProxyOptions {
  readonly node: string;
  readonly podName: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** `PROXY_MODE=dedicated`: the ztunnel of one pod. */
export function dedicatedZtunnelEnvironment(options: WorkloadOptions): ProxyEnvironment {
  const { node, podName, namespace, serviceAccount, ip } = options;
  return {
    ...discoveryEnvironment(options),
    PROXY_MODE: 'dedicated',
    PROXY_WORKLOAD_INFO: `${namespace}/${podName}/${serviceAccount}`,
    LISTEN_IP: ip,
    NODE_NAME: node,
    POD_NAME: podName,
    POD_NAMESPACE: namespace,
    // Any process may send from any loopback address, so applications see their client's.
    ENABLE_ORIG_SRC: 'true',
    // One a pod: more threads would only cost memory.
    ZTUNNEL_WORKER_THREADS: '1',
  };
}

export function waypointEnvironment(options: WorkloadOptions, gateway: string): ProxyEnvironment {
  const { node, podName, namespace, serviceAccount, ip } = options;
  return {
    ...discoveryEnvironment(options),
    NODE_NAME: node,
    POD_NAME: podName,
    POD_NAMESPACE: namespace,
    SERVICE_ACCOUNT: serviceAccount,
    GATEWAY_NAME: gateway,
    HBONE_ADDR: `${ip}:${HBONE_PORT}`,
    // Who plays wants to see what passes, and no container runtime pays for it.
    ACCESS_LOG: 'all',
  };
}

/** What ztunnels and waypoints share: where the controller is, how they prove themselves, what they keep. */
function discoveryEnvironment(options: ProxyOptions): ProxyEnvironment {
  const { layout, name, controllerIp, ip } = options;
  return {
    ...operationsEnvironment(options),
    XDS_ADDRESS: `https://${controllerIp}:${CONTROLLER_PORT}`,
    XDS_ROOT_CA: rootCertificates(layout),
    TOKEN_PATH: layout.tokenOf(name),
    SECRET_TTL: LEAF_TTL,
    TRUST_DOMAIN,
    CLUSTER_ID,
    CLUSTER_DOMAIN,
    INSTANCE_IP: ip,
    STATE_DIR: layout.dataOf(name),
    // Nobody is waited for: the playground stops whole.
    TERMINATION_GRACE_PERIOD_SECONDS: '3',
  };
}

/** On the process's own address, so that processes may share a network namespace. */
function operationsEnvironment({ layout, name, ip }: ProxyOptions): ProxyEnvironment {
  return {
    ADMIN_ADDR: 'off',
    ADMIN_UNIX_SOCKET: layout.adminSocketOf(name),
    STATS_ADDR: `${ip}:${STATS_PORT}`,
    READINESS_ADDR: `${ip}:${READINESS_PORT}`,
  };
}

/** The roots of the controller, as a file every proxy reads. */
function rootCertificates(layout: StateLayout): string {
  return `${layout.dataOf('controller')}/root-cert.pem`;
}
