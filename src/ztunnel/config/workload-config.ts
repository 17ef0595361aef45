import { type Address, readAddress, readIp } from '#shared/config/address.ts';
import type { EnvReader } from '#shared/config/env-reader.ts';
import type { ProxyInstance } from '#shared/discovery/discovery-node.ts';
import { SOCKS5_PORT } from '../ports.ts';

export interface DedicatedConfig {
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
  readonly ip: string;
  readonly socks5: Address | undefined;
}

export function readInstance(env: EnvReader): ProxyInstance {
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
