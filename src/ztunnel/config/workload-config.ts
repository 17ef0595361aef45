import { type Address, readAddress, readIp } from '#shared/config/address.ts';
import type { EnvReader } from '#shared/config/env-reader.ts';
import { parseList } from '#shared/config/list.ts';
import { canonicalIp } from '#shared/workload/ip.ts';
import { SOCKS5_PORT } from '../ports.ts';

export interface NodeAgentConfig {
  readonly podSourceDir: string;
  readonly excludedNamespaces: readonly string[];
  readonly captureDns: boolean;
  readonly probeSources: readonly string[] | undefined;
}

export interface DedicatedConfig {
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
  readonly ip: string;
  readonly socks5: Address | undefined;
}

export interface InstanceConfig {
  readonly name: string;
  readonly namespace: string;
  readonly ip: string;
  readonly nodeName: string;
  readonly clusterId: string;
  readonly clusterDomain: string;
}

export function readInstance(env: EnvReader): InstanceConfig {
  return {
    name: env.string('POD_NAME', 'ztunnel', 'name of the pod this process runs in'),
    namespace: env.string('POD_NAMESPACE', 'istio-system', 'its namespace'),
    ip: readIp(env, 'INSTANCE_IP', '127.0.0.1', 'its address'),
    nodeName: env.string(
      'NODE_NAME',
      'localhost',
      'node it runs on; certificates are issued for pods of this node alone',
    ),
    clusterId: env.string('CLUSTER_ID', 'Kubernetes', 'name of the cluster'),
    clusterDomain: env.string('CLUSTER_DOMAIN', 'cluster.local', 'domain of service names'),
  };
}

export function readNodeAgent(env: EnvReader, shared: boolean): NodeAgentConfig | undefined {
  const podSourceDir = env.optional(
    'POD_SOURCE_DIR',
    'directory of <uid>.json files, one a pod of this node; required in shared mode',
  );
  if (shared && podSourceDir === undefined)
    env.reject('POD_SOURCE_DIR', 'is not set; PROXY_MODE=shared needs to know the pods of this node');
  const excluded = env.string(
    'EXCLUDED_NAMESPACES',
    'kube-system',
    'namespaces whose pods are never captured, separated by commas',
  );
  const captureDns = env.boolean(
    'DNS_CAPTURE',
    false,
    'redirect DNS of captured pods to the proxy; it has no DNS server yet, so true is refused',
  );
  if (captureDns) env.reject('DNS_CAPTURE', 'true is not supported yet: this proxy has no DNS server');
  const probes = env.optional(
    'PROBE_SOURCES',
    'addresses of health probes that reach applications without the mesh, separated by commas',
  );
  for (const ip of parseList(probes ?? ''))
    if (canonicalIp(ip) === undefined)
      env.reject('PROBE_SOURCES', `${JSON.stringify(ip)} is not an IP address`);
  if (!shared) return undefined;
  return {
    podSourceDir: podSourceDir ?? '',
    excludedNamespaces: parseList(excluded),
    captureDns,
    probeSources: probes === undefined ? undefined : parseList(probes),
  };
}

export function readDedicated(env: EnvReader, dedicated: boolean, ip: string): DedicatedConfig | undefined {
  const info = env.optional(
    'PROXY_WORKLOAD_INFO',
    'the workload in dedicated mode: <namespace>/<name>/<service account>',
  );
  const enabled = env.boolean(
    'SOCKS5_ENABLED',
    true,
    'offer SOCKS5 in dedicated mode: how the workload sends through the mesh',
  );
  const socks5 = readAddress(
    env,
    'SOCKS5_ADDR',
    `${ip}:${SOCKS5_PORT}`,
    'address of SOCKS5 in dedicated mode; it takes connections of the workload alone, so keep it on an address only it can reach',
  );
  if (!dedicated) return undefined;
  const [namespace = '', name = '', serviceAccount = '', more] = (info ?? '').split('/');
  if (namespace === '' || name === '' || serviceAccount === '' || more !== undefined) {
    env.reject(
      'PROXY_WORKLOAD_INFO',
      `${JSON.stringify(info ?? '')} is not accepted; use <namespace>/<name>/<service account>`,
    );
  }
  return { namespace, name, serviceAccount, ip, socks5: enabled ? socks5 : undefined };
}
