import { VERSION } from '../config/version.ts';
import type { DiscoveryNode } from './delta-message.ts';

export type ProxyKind = 'ztunnel' | 'waypoint';

/** The pod a proxy runs in, as it was told by its environment. */
export interface ProxyInstance {
  readonly name: string;
  readonly namespace: string;
  readonly ip: string;
  readonly nodeName: string;
  readonly clusterId: string;
  readonly clusterDomain: string;
}

/** Keys of what a node says of itself. */
export const NODE_CLUSTER = 'CLUSTER_ID';
export const NODE_VERSION = 'VERSION';

/**
 * Who asks. The controller shows it; what the client may see or do follows from its token alone.
 * `id` is `<kind>~<ip>~<pod>.<namespace>~<namespace>.svc.<cluster domain>`.
 */
export function makeDiscoveryNode(kind: ProxyKind, instance: ProxyInstance): DiscoveryNode {
  const { name, namespace, ip, nodeName, clusterId, clusterDomain } = instance;
  return {
    id: `${kind}~${ip}~${name}.${namespace}~${namespace}.svc.${clusterDomain}`,
    metadata: {
      NAME: name,
      NAMESPACE: namespace,
      INSTANCE_IPS: ip,
      NODE_NAME: nodeName,
      [NODE_CLUSTER]: clusterId,
      [NODE_VERSION]: VERSION,
    },
  };
}
