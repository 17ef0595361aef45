import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isJsonObject, parseJson } from '#shared/config/json.ts';
import type { PodNetwork } from '../network/cluster-network.ts';
import type { PodSpec } from '../objects/pod-spec.ts';
import { listeningPorts } from '../process/listening-ports.ts';
import type { Program } from '../process/program.ts';

/** What the node's ztunnel says about a pod. */
export type CaptureState = 'unknown' | 'enrolled' | 'not_captured' | 'failed';

/** One run of a pod: its network, its description for the node's ztunnel, its program. */
export class RunningPod {
  readonly uid = randomUUID();
  readonly network: PodNetwork;
  readonly program: Program;
  spec: PodSpec;
  readonly #podsDirectory: string;
  #described = '';
  #startAllowed = true;
  #readyPid: number | undefined;

  constructor(spec: PodSpec, network: PodNetwork, program: Program, podsDirectory: string) {
    this.spec = spec;
    this.network = network;
    this.program = program;
    this.#podsDirectory = podsDirectory;
  }

  get ips(): readonly string[] {
    return [this.network.addresses.ipv4, this.network.addresses.ipv6];
  }

  /** Tells the node's ztunnel about the pod, when there is something new. */
  describe(namespaceLabels: Readonly<Record<string, string>>, stagingDirectory: string): void {
    const text = JSON.stringify({
      uid: this.uid,
      name: this.spec.name,
      namespace: this.spec.namespace,
      serviceAccount: this.spec.serviceAccount,
      labels: this.spec.labels,
      namespaceLabels,
      ips: this.ips,
      netnsPath: this.network.netns.path,
      hostNetwork: false,
    });
    if (text === this.#described) return;
    const staged = join(stagingDirectory, `${this.uid}.json`);
    writeFileSync(staged, text);
    renameSync(staged, this.#file('.json'));
    this.#described = text;
  }

  captureState(): { readonly state: CaptureState; readonly message: string } {
    const path = this.#file('.status.json');
    if (!existsSync(path))
      return { state: 'unknown', message: 'the ztunnel of the node has said nothing yet' };
    const status = parseJson(readFileSync(path, 'utf8'));
    const { state, message } = isJsonObject(status) ? status : {};
    const known = state === 'enrolled' || state === 'not_captured' || state === 'failed' ? state : 'unknown';
    return { state: known, message: String(message) };
  }

  /** Starts the program once the ztunnel has decided about the pod, as a CNI plugin would hold the pod until then. */
  startWhenDecided(): void {
    const { state } = this.captureState();
    const decided = state === 'enrolled' || state === 'not_captured';
    if (decided && this.#startAllowed && this.program.pid === undefined) this.#start();
  }

  /** After `kill`. */
  startAgain(): void {
    this.#startAllowed = true;
    this.#start();
  }

  async kill(signal: NodeJS.Signals, graceMs: number): Promise<void> {
    this.#startAllowed = false;
    await this.program.kill(signal, graceMs);
  }

  ready(): boolean {
    const { pid } = this.program;
    if (pid === undefined) return false;
    // The table is long under load, and a program that has listened goes on until it ends.
    if (pid === this.#readyPid) return true;
    const listening = listeningPorts(pid);
    if (!this.spec.ports.every(port => listening.has(port))) return false;
    this.#readyPid = pid;
    return true;
  }

  async remove(): Promise<void> {
    await this.kill('SIGTERM', STOP_GRACE_MS);
    rmSync(this.#file('.json'), { force: true });
  }

  #start(): void {
    // From here on the program restarts itself.
    this.#startAllowed = false;
    this.program.start();
  }

  #file(suffix: string): string {
    return join(this.#podsDirectory, `${this.uid}${suffix}`);
  }
}

const STOP_GRACE_MS = 2_000;
