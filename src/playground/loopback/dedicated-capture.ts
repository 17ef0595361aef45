import { type Clock, delay } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { CapturedPod, CaptureState, PodCapture } from '../cluster/pod-capture.ts';
import type { PodNetwork } from '../network/mesh-network.ts';

const SOCKS5_PORT = 15080;
const MODE_LABEL = 'istio.io/dataplane-mode';
/** Until the others have heard that a pod has left, they send to its ztunnel. */
const LEAVE_MS = 2_000;
const UNDECIDED: CaptureState = { state: 'unknown', message: 'its ztunnel is starting' };
const NOT_CAPTURED: CaptureState = { state: 'not_captured', message: '' };

export interface DedicatedCaptureOptions {
  readonly network: {
    joinMesh(pod: PodNetwork, socks5Port: number): void;
    leaveMesh(pod: PodNetwork): void;
  };
  readonly clock: Clock;
  /** Resolves when the ztunnel of the pod is ready. Called again after it has rejected. */
  readonly startZtunnel: (pod: CapturedPod) => Promise<void>;
  readonly stopZtunnel: (pod: CapturedPod) => Promise<void>;
}

interface Entry {
  wanted: boolean;
  state: CaptureState;
  work: Promise<void>;
}

/**
 * Each pod of the mesh gets a ztunnel of its own (`PROXY_MODE=dedicated`) and sends to it by SOCKS5. Labels decide, as with
 * capture by the node; a pod that joins or leaves while it runs keeps its program.
 */
export class DedicatedCapture implements PodCapture {
  readonly #options: DedicatedCaptureOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: DedicatedCaptureOptions) {
    this.#options = options;
  }

  describe(pod: CapturedPod): void {
    const wanted = (pod.spec.labels[MODE_LABEL] ?? pod.namespaceLabels[MODE_LABEL]) === 'ambient';
    const before = this.#entries.get(pod.uid);
    if (before?.wanted === wanted && before.state.state !== 'failed') return;
    const entry = before ?? { wanted, state: wanted ? UNDECIDED : NOT_CAPTURED, work: Promise.resolve() };
    this.#entries.set(pod.uid, entry);
    entry.wanted = wanted;
    if (entry.state.state === 'failed') entry.state = UNDECIDED;
    if (wanted) entry.work = entry.work.then(() => this.#join(pod, entry));
    else if (before !== undefined) entry.work = entry.work.then(() => this.#leave(pod, entry));
  }

  state({ uid }: Pick<CapturedPod, 'uid'>): CaptureState {
    return this.#entries.get(uid)?.state ?? { state: 'unknown', message: 'not looked at yet' };
  }

  /** Its ztunnel ends with the pod. */
  forget({ uid }: Pick<CapturedPod, 'uid'>): Promise<void> {
    this.#entries.delete(uid);
    return Promise.resolve();
  }

  /** Never rejects. */
  async #join(pod: CapturedPod, entry: Entry): Promise<void> {
    if (this.#entries.get(pod.uid) !== entry) return;
    try {
      await this.#options.startZtunnel(pod);
      if (this.#entries.get(pod.uid) !== entry) return;
      this.#options.network.joinMesh(pod.network, SOCKS5_PORT);
      entry.state = { state: 'enrolled', message: '' };
    } catch (error) {
      entry.state = { state: 'failed', message: errorMessage(error) };
    }
  }

  /** The pod first, then those who send to it, then its ztunnel. Never rejects. */
  async #leave(pod: CapturedPod, entry: Entry): Promise<void> {
    this.#options.network.leaveMesh(pod.network);
    entry.state = NOT_CAPTURED;
    await delay(this.#options.clock, LEAVE_MS);
    if (this.#entries.get(pod.uid) === entry) await this.#options.stopZtunnel(pod).catch(() => undefined);
  }
}
