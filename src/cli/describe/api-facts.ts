import type { KubeApi } from '../cluster/kube-api.ts';
import { NAMESPACE, POD } from '../cluster/kinds.ts';
import type { KubeObject } from '../cluster/kube-object.ts';
import { DATAPLANE_MODE, REDIRECTION, USE_WAYPOINT } from '../cluster/mesh-labels.ts';
import { meshWish } from '../cluster/mesh-wish.ts';
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
  return { name: 'mesh', value: `${state}: ${meshWish(pod, namespace, ['kube-system']).reason}` };
}

export function namespaceLabels({ labels }: KubeObject): Fact[] {
  return [
    { name: 'mesh', value: `label ${DATAPLANE_MODE} is ${labels[DATAPLANE_MODE] ?? 'not set'}` },
    { name: 'waypoint', value: `label ${USE_WAYPOINT} is ${labels[USE_WAYPOINT] ?? 'not set'}` },
  ];
}
