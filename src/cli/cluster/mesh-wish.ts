import { sidecarOf } from '#shared/capture/sidecar.ts';
import { type MeshWish, wantsMesh } from '#shared/capture/wants-mesh.ts';
import type { KubeObject } from './kube-object.ts';

/** Whether a pod is to be in the mesh, and which rule says so: as its node's ztunnel decides. */
export function meshWish(
  pod: KubeObject,
  namespace: KubeObject | undefined,
  excludedNamespaces: readonly string[],
): MeshWish {
  const traits = {
    namespace: pod.namespace,
    labels: pod.labels,
    namespaceLabels: namespace?.labels ?? {},
    hostNetwork: pod.spec['hostNetwork'] === true,
    sidecar: sidecarOf(pod.spec),
  };
  return wantsMesh(traits, { excludedNamespaces: new Set(excludedNamespaces) });
}
