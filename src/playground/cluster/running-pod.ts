import { randomUUID } from 'node:crypto';
import type { PodNetwork } from '../network/mesh-network.ts';
import type { PodSpec } from '../objects/pod-spec.ts';
import { listeningPorts } from '../process/listening-ports.ts';
import type { Program } from '../process/program.ts';
import type { CaptureState, PodCapture } from './pod-capture.ts';

const STOP_GRACE_MS = 2_000;

/** One run of a pod: its network, its program, and how it stands in the mesh. */
export class RunningPod {
  readonly uid = randomUUID();
  readonly network: PodNetwork;
  readonly program: Program;
  spec: PodSpec;
  readonly #capture: PodCapture;
  #started = false;
  #readyPid: number | undefined;

  constructor(spec: PodSpec, network: PodNetwork, program: Program, capture: PodCapture) {
    this.spec = spec;
    this.network = network;
    this.program = program;
    this.#capture = capture;
  }

  describe(namespaceLabels: Readonly<Record<string, string>>): void {
    this.#capture.describe({ uid: this.uid, spec: this.spec, network: this.network, namespaceLabels });
  }

  captureState(): CaptureState {
    return this.#capture.state(this);
  }

  /**
   * Starts the program once the mesh has decided about the pod, as a CNI plugin would hold the pod until then. From there on
   * the program restarts itself.
   */
  startWhenDecided(): void {
    const { state } = this.captureState();
    if (this.#started || (state !== 'enrolled' && state !== 'not_captured')) return;
    this.#started = true;
    this.program.start();
  }

  ready(): boolean {
    const { pid } = this.program;
    if (pid === undefined) return false;
    // The table is long under load, and a program that has listened goes on until it ends.
    if (pid === this.#readyPid) return true;
    const listening = listeningPorts(pid, this.network);
    if (!this.spec.ports.every(port => listening.has(port))) return false;
    this.#readyPid = pid;
    return true;
  }

  async remove(): Promise<void> {
    await this.program.kill('SIGTERM', STOP_GRACE_MS);
    await this.#capture.forget(this);
  }
}
