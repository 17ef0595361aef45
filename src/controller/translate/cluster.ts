/** What is the same for every object of a cluster. */
export interface Cluster {
  readonly clusterId: string;
  readonly clusterDomain: string;
  readonly trustDomain: string;
  readonly network: string;
}

/** `<name>.<namespace>.svc.<domain>`. */
export function serviceHostname(cluster: Cluster, namespace: string, name: string): string {
  return `${name}.${namespace}.svc.${cluster.clusterDomain}`;
}
