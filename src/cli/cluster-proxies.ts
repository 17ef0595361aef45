import type { Cluster, KubeApi } from './cluster/kube-api.ts';
import type { KubeObject } from './cluster/kube-object.ts';
import { POD } from './cluster/kinds.ts';
import { ADMIN_PORTS, isRunning, MESH_POD_SELECTORS, nodeOf, proxyKindOf } from './cluster/mesh-pods.ts';
import type { LogTail, Proxies, ProxyKind, ProxyRef } from './proxies.ts';

/** The proxies of a cluster: running pods with the mesh's labels, each asked by port-forward. */
export class ClusterProxies implements Proxies {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  get api(): KubeApi {
    return this.#cluster.api;
  }

  get origin(): string {
    return `the cluster ${this.#cluster.api.server}`;
  }

  async list(): Promise<readonly ProxyRef[]> {
    const pods = await listMeshPods(this.#cluster);
    return pods.flatMap(pod => {
      const kind = proxyKindOf(pod);
      return kind === undefined || !isRunning(pod) ? [] : [proxyOf(this.#cluster, pod, kind)];
    });
  }

  log(proxy: ProxyRef, tail: LogTail, onLine: (line: string) => void, signal: AbortSignal): Promise<void> {
    return this.#cluster.api.log(proxy.namespace, proxy.name, tail, onLine, signal);
  }
}

/** ztunnels, controllers and waypoints, whatever state they are in; sorted by kind and name. */
export async function listMeshPods({ api }: Cluster): Promise<readonly KubeObject[]> {
  const lists = await Promise.all(MESH_POD_SELECTORS.map(labelSelector => api.list(POD, { labelSelector })));
  const order: readonly (ProxyKind | undefined)[] = ['controller', 'ztunnel', 'waypoint'];
  const rank = (pod: KubeObject): string => `${order.indexOf(proxyKindOf(pod))} ${pod.namespace}/${pod.name}`;
  return lists
    .flatMap(list => list ?? [])
    .filter(pod => proxyKindOf(pod) !== undefined)
    .sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
}

function proxyOf(cluster: Cluster, pod: KubeObject, kind: ProxyKind): ProxyRef {
  return {
    name: pod.name,
    pod: pod.name,
    kind,
    node: nodeOf(pod),
    namespace: pod.namespace,
    admin: cluster.forward(pod.namespace, pod.name, ADMIN_PORTS[kind]),
  };
}
