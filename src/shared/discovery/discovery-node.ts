import { VERSION } from '../config/version.ts';
import type { DiscoveryNode } from './delta-message.ts';

/** Who asks. The controller shows it; what the client may see or do follows from its token alone. */
export interface NodeOptions {
  readonly kind: 'ztunnel' | 'waypoint';
  readonly name: string;
  readonly namespace: string;
  readonly ips: readonly string[];
  readonly nodeName: string;
  readonly clusterId: string;
  readonly clusterDomain: string;
}

/** Keys of what a node says of itself. */
export const NODE_CLUSTER = 'CLUSTER_ID';
export const NODE_VERSION = 'VERSION';

/** `id` is `<kind>~<ip>~<pod>.<namespace>~<namespace>.svc.<cluster domain>`. */
export function makeDiscoveryNode(options: NodeOptions): DiscoveryNode {
  const { kind, name, namespace, ips, nodeName, clusterId, clusterDomain } = options;
  return {
    id: `${kind}~${ips[0] ?? '127.0.0.1'}~${name}.${namespace}~${namespace}.svc.${clusterDomain}`,
    metadata: {
      NAME: name,
      NAMESPACE: namespace,
      INSTANCE_IPS: ips.join(','),
      NODE_NAME: nodeName,
      [NODE_CLUSTER]: clusterId,
      [NODE_VERSION]: VERSION,
    },
  };
}
