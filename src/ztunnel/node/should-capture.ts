import type { LocalPod } from './local-pod.ts';

export const DATAPLANE_MODE_LABEL = 'istio.io/dataplane-mode';

export interface CaptureRules {
  /** Namespaces whose pods are never captured, whatever their labels: what runs there must work before the mesh does. */
  readonly excludedNamespaces: ReadonlySet<string>;
}

export interface CaptureDecision {
  readonly capture: boolean;
  /** For the operator: which rule decided. */
  readonly reason: string;
}

/** Whether the traffic of a pod goes through the mesh. The pod's own label wins over its namespace's. */
export function shouldCapture(pod: LocalPod, rules: CaptureRules): CaptureDecision {
  if (pod.hostNetwork) return no('the pod uses the network of its host');
  if (rules.excludedNamespaces.has(pod.namespace)) return no(`namespace ${pod.namespace} is excluded`);
  const own = pod.labels[DATAPLANE_MODE_LABEL];
  const mode = own ?? pod.namespaceLabels[DATAPLANE_MODE_LABEL];
  const where = own === undefined ? `namespace ${pod.namespace}` : 'the pod';
  if (mode === undefined)
    return no(`neither the pod nor its namespace has the label ${DATAPLANE_MODE_LABEL}`);
  if (mode !== 'ambient') return no(`label ${DATAPLANE_MODE_LABEL} of ${where} is ${mode}`);
  if (pod.netnsPath === undefined) return no('the pod has no network namespace yet');
  return { capture: true, reason: `label ${DATAPLANE_MODE_LABEL} of ${where} is ambient` };
}

function no(reason: string): CaptureDecision {
  return { capture: false, reason };
}
