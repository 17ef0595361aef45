import type { CapturedPod, CaptureState, PodCapture } from '../cluster/pod-capture.ts';
import type { LoopbackNetwork } from './loopback-network.ts';

const SOCKS5_PORT = 15080;
const MODE_LABEL = 'istio.io/dataplane-mode';

/** Each pod of the mesh gets a ztunnel of its own (`PROXY_MODE=dedicated`) and sends to it by SOCKS5. */
export class DedicatedCapture implements PodCapture {
  readonly #network: LoopbackNetwork;
  readonly #startZtunnel: (pod: CapturedPod) => Promise<void>;
  readonly #states = new Map<string, CaptureState>();

  /** `startZtunnel` resolves when the pod's ztunnel is ready. It ends with the pod. */
  constructor(network: LoopbackNetwork, startZtunnel: (pod: CapturedPod) => Promise<void>) {
    this.#network = network;
    this.#startZtunnel = startZtunnel;
  }

  /** A pod that joins or leaves by a change of labels alone stays as it was: its program would have to start again. */
  describe(pod: CapturedPod): void {
    if (this.#states.has(pod.uid)) return;
    const mode = pod.spec.labels[MODE_LABEL] ?? pod.namespaceLabels[MODE_LABEL];
    if (mode !== 'ambient') {
      this.#states.set(pod.uid, { state: 'not_captured', message: '' });
      return;
    }
    this.#states.set(pod.uid, { state: 'unknown', message: 'its ztunnel is starting' });
    void this.#start(pod);
  }

  state({ uid }: Pick<CapturedPod, 'uid'>): CaptureState {
    return this.#states.get(uid) ?? { state: 'unknown', message: 'not looked at yet' };
  }

  forget({ uid }: Pick<CapturedPod, 'uid'>): Promise<void> {
    this.#states.delete(uid);
    return Promise.resolve();
  }

  async #start(pod: CapturedPod): Promise<void> {
    try {
      await this.#startZtunnel(pod);
      this.#network.joinMesh(pod.network, SOCKS5_PORT);
      this.#states.set(pod.uid, { state: 'enrolled', message: '' });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#states.set(pod.uid, { state: 'failed', message });
    }
  }
}
