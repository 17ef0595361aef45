import type { EnvReader } from '#shared/config/env-reader.ts';
import { readTrustDomain } from '#shared/config/trust-domain.ts';
import type { ProxyInstance } from '#shared/discovery/discovery-node.ts';
import { formatSpiffeId, type SpiffeId } from '#shared/spiffe/spiffe-id.ts';

export function readInstance(env: EnvReader): ProxyInstance {
  return {
    name: env.string('POD_NAME', 'waypoint', 'name of the pod this process runs in'),
    namespace: env.string('POD_NAMESPACE', 'default', 'its namespace, which is the namespace of the Gateway'),
    ip: env.ip('INSTANCE_IP', '127.0.0.1', 'its address'),
    nodeName: env.string('NODE_NAME', 'localhost', 'node it runs on'),
    clusterId: env.string('CLUSTER_ID', 'Kubernetes', 'name of the cluster'),
    clusterDomain: env.string('CLUSTER_DOMAIN', 'cluster.local', 'domain of service names'),
  };
}

export function readIdentity(env: EnvReader, namespace: string): SpiffeId {
  const trustDomain = readTrustDomain(env, 'trust domain of the waypoint and its peers');
  const serviceAccount = env.string('SERVICE_ACCOUNT', 'waypoint', 'service account of the waypoint');
  return formatSpiffeId({ trustDomain, namespace, serviceAccount });
}
