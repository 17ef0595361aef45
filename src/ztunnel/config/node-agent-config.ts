import type { EnvReader } from '#shared/config/env-reader.ts';
import { parseList } from '#shared/config/list.ts';
import { SERVICE_ACCOUNT_DIR } from '#shared/kube/in-cluster.ts';
import { canonicalIp } from '#shared/workload/ip.ts';

/** Where the pods of the node are known from. */
export type PodSourceConfig =
  | { readonly kind: 'directory'; readonly directory: string }
  | ({ readonly kind: 'kubernetes' } & KubernetesNodeConfig);

/** How a pod reaches the API server of its cluster. */
export interface ClusterAccess {
  readonly host: string;
  readonly port: string;
  /** `token` and `ca.crt`, which are renewed in place. */
  readonly accountDir: string;
}

export interface KubernetesNodeConfig {
  readonly access: ClusterAccess;
  readonly procDir: string;
  readonly netnsDir: string;
  readonly cni: CniConfig;
  /** DaemonSet this process belongs to: when it is deleted, or says so, every pod is released. */
  readonly daemonSet: string | undefined;
}

export interface CniConfig {
  /** Unix socket, at the same path on the node. Undefined: the CNI plugin is not served. */
  readonly socket: string | undefined;
  /** Undefined: the plugin is installed, if at all, by somebody else. */
  readonly install: CniInstallConfig | undefined;
}

export interface CniInstallConfig {
  /** The executable in this image. */
  readonly plugin: string;
  readonly binDir: string;
  readonly confDir: string;
  /** Paths of the two directories as the node knows them. */
  readonly confDirOnNode: string;
  /** Pods start, outside the mesh, while no ztunnel answers. */
  readonly failOpen: boolean;
}

export interface NodeAgentConfig {
  readonly source: PodSourceConfig;
  readonly excludedNamespaces: readonly string[];
  readonly captureDns: boolean;
  /** Undefined: addresses of the node, where they can be found out. */
  readonly probeSources: readonly string[] | undefined;
  /** Undefined: settings of pods' network namespaces are left as they are. */
  readonly sysctlDirectory: string | undefined;
}

export function readNodeAgent(env: EnvReader, shared: boolean): NodeAgentConfig | undefined {
  const source = readPodSource(env, shared);
  const excluded = env.string(
    'EXCLUDED_NAMESPACES',
    'kube-system',
    'namespaces whose pods are never captured, separated by commas',
  );
  const captureDns = env.boolean(
    'DNS_CAPTURE',
    false,
    'DNS of captured pods goes to the proxy, which answers for hosts of the mesh; a pod may say otherwise by annotation',
  );
  const probes = env.optional(
    'PROBE_SOURCES',
    "addresses of health probes that reach applications without the mesh, separated by commas; default in a cluster: the node's own",
  );
  for (const ip of parseList(probes ?? ''))
    if (canonicalIp(ip) === undefined)
      env.reject('PROBE_SOURCES', `${JSON.stringify(ip)} is not an IP address`);
  const sysctl = env.string(
    'SYSCTL_NET_DIR',
    '/proc/sys/net',
    "/proc/sys/net where it can be written, for three settings of pods' network namespaces; off, or where it cannot: connection tracking is used in their place",
  );
  if (!shared) return undefined;
  return {
    source,
    sysctlDirectory: sysctl === 'off' ? undefined : sysctl,
    excludedNamespaces: parseList(excluded),
    captureDns,
    probeSources: probes === undefined ? undefined : parseList(probes),
  };
}

function readPodSource(env: EnvReader, shared: boolean): PodSourceConfig {
  const directory = env.optional(
    'POD_SOURCE_DIR',
    'directory of <uid>.json files, one a pod of this node, in place of the API server',
  );
  const access = {
    host: env.string('KUBERNETES_SERVICE_HOST', '', 'address of the API server; set by the kubelet'),
    port: env.string('KUBERNETES_SERVICE_PORT', '443', 'its port; set by the kubelet'),
    accountDir: env.string(
      'SERVICE_ACCOUNT_DIR',
      SERVICE_ACCOUNT_DIR,
      'directory of token and ca.crt for the API server',
    ),
  };
  const kubernetes = readKubernetesNode(env, access);
  if (directory !== undefined) return { kind: 'directory', directory };
  if (shared && access.host === '') {
    env.reject(
      'POD_SOURCE_DIR',
      'is not set, and neither is KUBERNETES_SERVICE_HOST; PROXY_MODE=shared needs to know the pods of this node',
    );
  }
  return { kind: 'kubernetes', ...kubernetes };
}

function readKubernetesNode(env: EnvReader, access: ClusterAccess): KubernetesNodeConfig {
  return {
    access,
    procDir: env.string('HOST_PROC', '/proc', "/proc that shows the node's processes"),
    netnsDir: env.string(
      'NETNS_DIR',
      '/var/run/netns',
      'where the container runtime keeps network namespaces; at the same path as on the node',
    ),
    cni: readCni(env),
    daemonSet: env.optional(
      'DAEMONSET_NAME',
      'DaemonSet of this pod; when it is deleted or annotated ambient.mesh/release=true, every pod leaves the mesh',
    ),
  };
}

function readCni(env: EnvReader): CniConfig {
  const socket = env.string(
    'CNI_SOCKET',
    '/var/run/ambient-mesh/cni.sock',
    'unix socket the CNI plugin asks, or off; at the same path as on the node',
  );
  const confDir = env.optional(
    'CNI_CONF_DIR',
    "the node's directory of CNI configurations; set: the plugin is installed and kept in the chain",
  );
  const binDir = env.string('CNI_BIN_DIR', '/opt/cni/bin', "the node's directory of CNI plugins");
  const confDirOnNode = env.string(
    'CNI_CONF_DIR_ON_NODE',
    '/etc/cni/net.d',
    'path of CNI_CONF_DIR as the node knows it',
  );
  const plugin = env.string('CNI_PLUGIN', '/app/cni/ambient-cni', 'the plugin in this image');
  const failOpen = env.boolean(
    'CNI_FAIL_OPEN',
    false,
    'pods of the mesh start outside it while no ztunnel answers the CNI plugin; by default they wait',
  );
  if (confDir !== undefined && socket === 'off') {
    env.reject('CNI_SOCKET', 'is off, but CNI_CONF_DIR is set: the plugin would ask nobody');
  }
  return {
    socket: socket === 'off' ? undefined : socket,
    install: confDir === undefined ? undefined : { plugin, binDir, confDir, confDirOnNode, failOpen },
  };
}
