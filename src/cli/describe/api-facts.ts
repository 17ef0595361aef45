import type { KubeApi } from '../cluster/kube-api.ts';
import { NAMESPACE, POD } from '../cluster/kinds.ts';
import type { KubeObject } from '../cluster/kube-object.ts';
import { DATAPLANE_MODE, REDIRECTION, USE_WAYPOINT } from '../cluster/mesh-labels.ts';
import type { Fact } from './description.ts';

/** What only the API server knows: who asked for what by which label. */
export interface ApiFacts {
  readonly namespaces: readonly KubeObject[];
  readonly pods: readonly KubeObject[];
}

export async function gatherApiFacts(api: KubeApi, namespace: string): Promise<ApiFacts> {
  const [namespaces, pods] = await Promise.all([api.list(NAMESPACE), api.list(POD, { namespace })]);
  return { namespaces: namespaces ?? [], pods: pods ?? [] };
}

/** Whether a pod is in the mesh, and which label or rule says so. */
export function captureFact(pod: KubeObject, namespace: KubeObject | undefined): Fact {
  const real = pod.annotations[REDIRECTION];
  const state =
    real === 'enabled' ? 'captured' : real === 'pending' ? 'capture is under way' : 'not captured';
  return { name: 'mesh', value: `${state}: ${labelReason(pod, namespace)}` };
}

function labelReason(pod: KubeObject, namespace: KubeObject | undefined): string {
  if (pod.spec['hostNetwork'] === true) return 'it uses the network of its host';
  const own = pod.labels[DATAPLANE_MODE];
  if (own !== undefined) return `its label ${DATAPLANE_MODE} is ${own}`;
  const mode = namespace?.labels[DATAPLANE_MODE];
  return mode === undefined
    ? `neither it nor its namespace has the label ${DATAPLANE_MODE}`
    : `label ${DATAPLANE_MODE} of namespace ${pod.namespace} is ${mode}`;
}

export function namespaceLabels({ labels }: KubeObject): Fact[] {
  return [
    { name: 'mesh', value: `label ${DATAPLANE_MODE} is ${labels[DATAPLANE_MODE] ?? 'not set'}` },
    { name: 'waypoint', value: `label ${USE_WAYPOINT} is ${labels[USE_WAYPOINT] ?? 'not set'}` },
  ];
}
