import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isJsonObject, parseJson } from '#shared/config/json.ts';
import type { StateLayout } from '../state-layout.ts';
import type { CapturedPod, CaptureState, PodCapture } from './pod-capture.ts';

/** Capture by the node's ztunnel, which watches a directory of pod descriptions and answers beside them. */
export class NodeCapture implements PodCapture {
  readonly #layout: StateLayout;
  /** Last description by uid. */
  readonly #described = new Map<string, string>();

  constructor(layout: StateLayout) {
    this.#layout = layout;
  }

  describe(pod: CapturedPod): void {
    const { uid, spec, network, namespaceLabels } = pod;
    const { name, namespace, serviceAccount, labels } = spec;
    const { ips, netnsPath } = network;
    const text = JSON.stringify({
      uid,
      name,
      namespace,
      serviceAccount,
      labels,
      namespaceLabels,
      ips,
      netnsPath,
      hostNetwork: false,
    });
    if (text === this.#described.get(uid)) return;
    const staged = join(this.#layout.staging, `${uid}.json`);
    writeFileSync(staged, text);
    renameSync(staged, this.#file(pod, '.json'));
    this.#described.set(uid, text);
  }

  state(pod: Pick<CapturedPod, 'uid' | 'network'>): CaptureState {
    const path = this.#file(pod, '.status.json');
    if (!existsSync(path))
      return { state: 'unknown', message: 'the ztunnel of the node has said nothing yet' };
    const status = parseJson(readFileSync(path, 'utf8'));
    const { state, message } = isJsonObject(status) ? status : {};
    const known = state === 'enrolled' || state === 'not_captured' || state === 'failed' ? state : 'unknown';
    return { state: known, message: String(message) };
  }

  forget(pod: Pick<CapturedPod, 'uid' | 'network'>): Promise<void> {
    rmSync(this.#file(pod, '.json'), { force: true });
    this.#described.delete(pod.uid);
    return Promise.resolve();
  }

  #file({ uid, network }: Pick<CapturedPod, 'uid' | 'network'>, suffix: string): string {
    return join(this.#layout.podsOf(network.node), `${uid}${suffix}`);
  }
}
