import { type CaptureRules, wantsMesh } from '#shared/capture/wants-mesh.ts';
import type { LocalPod } from './local-pod.ts';

export interface CaptureDecision {
  /** The labels and the kind of pod ask for the mesh, whether or not it can be captured yet. */
  readonly wanted: boolean;
  readonly capture: boolean;
  /** For the operator: which rule decided. */
  readonly reason: string;
}

/** Whether a pod of this node is captured now. */
export function shouldCapture(pod: LocalPod, rules: CaptureRules): CaptureDecision {
  const { wanted, reason } = wantsMesh(pod, rules);
  if (wanted && pod.netnsPath === undefined) {
    return { wanted, capture: false, reason: 'the pod has no network namespace yet' };
  }
  return { wanted, capture: wanted, reason };
}
