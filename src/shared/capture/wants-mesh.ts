export const DATAPLANE_MODE_LABEL = 'istio.io/dataplane-mode';

/** What decides whether a pod is of the mesh. */
export interface PodTraits {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly namespaceLabels: Readonly<Record<string, string>>;
  readonly hostNetwork: boolean;
  /** The container that is a mesh's sidecar proxy; undefined: none. */
  readonly sidecar: string | undefined;
}

export interface CaptureRules {
  /** Namespaces whose pods are never captured, whatever their labels: what runs there must work before the mesh does. */
  readonly excludedNamespaces: ReadonlySet<string>;
}

export interface MeshWish {
  readonly wanted: boolean;
  /** For the operator: which rule decided. */
  readonly reason: string;
}

/** Whether the traffic of a pod is to go through the mesh. The pod's own label wins over its namespace's. */
export function wantsMesh(pod: PodTraits, rules: CaptureRules): MeshWish {
  if (pod.hostNetwork) return no('the pod uses the network of its host');
  if (rules.excludedNamespaces.has(pod.namespace)) return no(`namespace ${pod.namespace} is excluded`);
  if (pod.sidecar !== undefined)
    return no(`the pod has a sidecar proxy of its own: container ${pod.sidecar}`);
  const own = pod.labels[DATAPLANE_MODE_LABEL];
  const mode = own ?? pod.namespaceLabels[DATAPLANE_MODE_LABEL];
  const where = own === undefined ? `namespace ${pod.namespace}` : 'the pod';
  if (mode === undefined)
    return no(`neither the pod nor its namespace has the label ${DATAPLANE_MODE_LABEL}`);
  if (mode !== 'ambient') return no(`label ${DATAPLANE_MODE_LABEL} of ${where} is ${mode}`);
  return { wanted: true, reason: `label ${DATAPLANE_MODE_LABEL} of ${where} is ambient` };
}

function no(reason: string): MeshWish {
  return { wanted: false, reason };
}
