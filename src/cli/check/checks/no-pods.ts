import type { KubeObject } from '../../cluster/kube-object.ts';
import { proxyKindOf } from '../../cluster/mesh-pods.ts';

/**
 * Why there is not one pod of a part of the mesh, by the Deployment or DaemonSet that should make them: what somebody
 * scaled down must not be installed again, and what may not make pods (a quota, an admission webhook) says so itself.
 */
export function noPodsOf(owners: readonly KubeObject[] | undefined, kind: 'controller' | 'ztunnel'): string {
  const owner = owners?.find(o => proxyKindOf(o) === kind);
  if (owner === undefined) return `there is no ${kind}: install the mesh with "ambientctl install"`;
  const name = `${owner.kind} ${owner.namespace}/${owner.name}`;
  const resource = `${owner.kind.toLowerCase()} ${owner.name}`;
  if (owner.kind === 'Deployment' && owner.spec['replicas'] === 0)
    return `${name} is scaled to 0: kubectl -n ${owner.namespace} scale ${resource} --replicas=2`;
  if (owner.kind === 'DaemonSet' && owner.status['desiredNumberScheduled'] === 0)
    return `${name} wants a pod on no node: somebody has changed its nodeSelector or affinity; "ambientctl install" sets them back`;
  return `${name} has no pod: kubectl -n ${owner.namespace} describe ${resource}, and the events there, say what keeps them from being made`;
}
