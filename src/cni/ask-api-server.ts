import { objectMeta } from '#shared/capture/kube-object.ts';
import { child } from '#shared/config/json-fields.ts';
import { sidecarOf } from '#shared/capture/sidecar.ts';
import { type MeshWish, wantsMesh } from '#shared/capture/wants-mesh.ts';
import { KubeClient } from '#shared/kube/client.ts';
import { inClusterConnection } from '#shared/kube/in-cluster.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import type { ApiAccess, PodArgs } from './invocation.ts';

const DEADLINE_MS = 3_000;

/** Whether a pod is of the mesh, by what the API server says. Rejects when it does not say. */
export async function askApiServer(
  api: ApiAccess,
  pod: PodArgs,
  excludedNamespaces: readonly string[],
  clock: Clock,
): Promise<MeshWish> {
  const environment = { KUBERNETES_SERVICE_HOST: api.host, KUBERNETES_SERVICE_PORT: String(api.port) };
  const client = new KubeClient(
    inClusterConnection(environment, clock, api.accountDir),
    clock,
    'ambient-cni',
  );
  const namespacePath = `/api/v1/namespaces/${encodeURIComponent(pod.namespace)}`;
  const podPath = `${namespacePath}/pods/${encodeURIComponent(pod.name)}`;
  const [podObject, namespaceObject] = await Promise.all([
    client.request({ path: podPath, deadlineMs: DEADLINE_MS }),
    client.request({ path: namespacePath, deadlineMs: DEADLINE_MS }),
  ]);
  const spec = child(podObject, 'spec');
  return wantsMesh(
    {
      namespace: pod.namespace,
      labels: objectMeta(podObject).labels,
      namespaceLabels: objectMeta(namespaceObject).labels,
      hostNetwork: spec['hostNetwork'] === true,
      sidecar: sidecarOf(spec),
    },
    { excludedNamespaces: new Set(excludedNamespaces) },
  );
}
