import type { PodNetwork } from '../network/mesh-network.ts';
import type { PodSpec } from '../objects/pod-spec.ts';

export interface CaptureState {
  /** `unknown`: nothing has been decided yet. */
  readonly state: 'unknown' | 'enrolled' | 'not_captured' | 'failed';
  readonly message: string;
}

export interface CapturedPod {
  readonly uid: string;
  readonly spec: PodSpec;
  readonly network: PodNetwork;
  readonly namespaceLabels: Readonly<Record<string, string>>;
}

/** How pods come into the mesh: by their node's ztunnel, or where that is not possible by one of their own. */
export interface PodCapture {
  /** Tells what is to be captured; called at every look at the cluster, and cheap when nothing changed. */
  describe(pod: CapturedPod): void;
  state(pod: Pick<CapturedPod, 'uid' | 'network'>): CaptureState;
  forget(pod: Pick<CapturedPod, 'uid' | 'network'>): Promise<void>;
}
