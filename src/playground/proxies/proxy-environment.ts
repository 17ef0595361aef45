import { CLUSTER_DOMAIN } from '../objects/hosts-file.ts';
import type { StateLayout } from '../state-layout.ts';

/** The one place that knows how each tier is configured (docs/environment.md). */
export type ProxyEnvironment = Readonly<Record<string, string>>;

export const TRUST_DOMAIN = 'cluster.local';
const CLUSTER_ID = 'Kubernetes';
export const SYSTEM_NAMESPACE = 'ambient-system';
export const CONTROLLER_PORT = 15012;
export const READINESS_PORT = 15021;
/** Leaves as short as they may be, so that their rotation can be watched. */
const LEAF_TTL = '1m';

export interface ProxyOptions {
  readonly layout: StateLayout;
  readonly name: string;
  readonly controllerIp: string;
}

export function controllerEnvironment(options: ProxyOptions): ProxyEnvironment {
  const { layout, name, controllerIp } = options;
  return {
    SOURCE: 'directory',
    CONFIG_DIR: layout.objects,
    DATA_DIR: layout.dataOf(name),
    CA_DIR: layout.dataOf(name),
    TRUST_DOMAIN,
    CLUSTER_ID,
    CLUSTER_DOMAIN,
    ROOT_NAMESPACE: SYSTEM_NAMESPACE,
    XDS_ADDRESS: `${controllerIp}:${CONTROLLER_PORT}`,
    WORKLOAD_CERT_TTL: LEAF_TTL,
    ADMIN_UNIX_SOCKET: layout.adminSocketOf(name),
  };
}

export interface NodeProxyOptions extends ProxyOptions {
  readonly node: string;
  readonly nodeIp: string;
}

export function ztunnelEnvironment(options: NodeProxyOptions): ProxyEnvironment {
  const { layout, name, node, nodeIp } = options;
  return {
    ...discoveryEnvironment(options),
    PROXY_MODE: 'shared',
    NODE_NAME: node,
    POD_NAME: name,
    POD_NAMESPACE: SYSTEM_NAMESPACE,
    INSTANCE_IP: nodeIp,
    POD_SOURCE_DIR: layout.podsOf(node),
  };
}

export interface WaypointOptions extends ProxyOptions {
  readonly node: string;
  readonly podName: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly gateway: string;
  readonly podIp: string;
}

export function waypointEnvironment(options: WaypointOptions): ProxyEnvironment {
  const { node, podName, namespace, serviceAccount, gateway, podIp } = options;
  return {
    ...discoveryEnvironment(options),
    NODE_NAME: node,
    POD_NAME: podName,
    POD_NAMESPACE: namespace,
    SERVICE_ACCOUNT: serviceAccount,
    GATEWAY_NAME: gateway,
    INSTANCE_IP: podIp,
  };
}

/** What ztunnels and waypoints share: where the controller is, how they prove themselves, what they keep. */
function discoveryEnvironment({ layout, name, controllerIp }: ProxyOptions): ProxyEnvironment {
  const address = `https://${controllerIp}:${CONTROLLER_PORT}`;
  const roots = rootCertificates(layout);
  return {
    XDS_ADDRESS: address,
    CA_ADDRESS: address,
    XDS_ROOT_CA: roots,
    CA_ROOT_CA: roots,
    TOKEN_PATH: layout.tokenOf(name),
    SECRET_TTL: LEAF_TTL,
    TRUST_DOMAIN,
    CLUSTER_ID,
    CLUSTER_DOMAIN,
    STATE_DIR: layout.dataOf(name),
    ADMIN_UNIX_SOCKET: layout.adminSocketOf(name),
    // Nobody is waited for: the playground stops whole.
    TERMINATION_GRACE_PERIOD_SECONDS: '3',
  };
}

/** The roots of the controller, as a file every proxy reads. */
export function rootCertificates(layout: StateLayout): string {
  return `${layout.dataOf('controller')}/root-cert.pem`;
}
