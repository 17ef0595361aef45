import type { AdmissionAnswer, AdmissionRequest } from '#shared/cni/admission.ts';
import { type Clock, delay } from '#shared/lifecycle/clock.ts';
import type { Logger } from '#shared/observability/logger.ts';
import { canonicalIp } from '#shared/workload/ip.ts';
import { netnsInode } from '../kubernetes/pod-netns.ts';
import type { StartingPod } from '../kubernetes/pod-source.ts';
import type { LocalPod } from '../local-pod.ts';
import type { SettledPod } from '../node-agent.ts';
import type { CaptureRules } from '#shared/capture/wants-mesh.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { shouldCapture } from '../should-capture.ts';

export interface PodAdmissionOptions {
  readonly admit: (pod: StartingPod, signal: AbortSignal) => Promise<LocalPod>;
  readonly release: (runtimeUid: string, netnsPath: string) => void;
  readonly settled: (uid: string) => Promise<SettledPod | undefined>;
  /** The mesh is being removed from this node. */
  readonly isReleased: () => boolean;
  readonly rules: CaptureRules;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The plugin waits longer; the kubelet tries again after that. */
const DEADLINE_MS = 8_000;
const RETRY_MS = 100;

/** Decides on pods that are being started, and answers when they may run. */
export class PodAdmission {
  readonly #options: PodAdmissionOptions;
  readonly #logger: Logger;

  constructor(options: PodAdmissionOptions) {
    this.#options = options;
    this.#logger = options.logger.child('cni');
  }

  /** Never rejects. */
  async answer(request: AdmissionRequest): Promise<AdmissionAnswer> {
    const { command, namespace, name, uid, netns } = request;
    if (command === 'del') {
      this.#options.release(uid, netns);
      return { ok: true, captured: false, reason: 'released' };
    }
    const deadline = new AbortController();
    const timer = this.#options.clock.setTimer(DEADLINE_MS, () =>
      deadline.abort(new Error(`the pod was not captured within ${DEADLINE_MS} ms`)),
    );
    try {
      const answer = await this.#admit(request, deadline.signal);
      this.#logger.info(answer.captured ? 'pod started in the mesh' : 'pod started outside the mesh', {
        pod: name,
        namespace,
        reason: answer.reason,
      });
      return answer;
    } catch (error) {
      const reason = errorMessage(error);
      this.#logger.warn('pod not started', { pod: name, namespace, error: reason });
      return { ok: false, reason };
    } finally {
      timer.cancel();
    }
  }

  async #admit(request: AdmissionRequest, signal: AbortSignal): Promise<AdmissionAnswer & { ok: true }> {
    const { rules, admit, isReleased } = this.#options;
    if (isReleased())
      return { ok: true, captured: false, reason: 'the mesh is being removed from this node' };
    const { namespace, name, uid: runtimeUid } = request;
    // What the mesh itself, and the API server, need to start must not wait for either.
    if (rules.excludedNamespaces.has(namespace)) {
      return { ok: true, captured: false, reason: `namespace ${namespace} is excluded` };
    }
    const inode = netnsInode(request.netns);
    if (inode === undefined) {
      throw new Error(
        `network namespace ${request.netns} cannot be seen by ztunnel: is its directory mounted, with HostToContainer?`,
      );
    }
    const ips = request.ips.flatMap(ip => canonicalIp(ip) ?? []);
    const pod = await admit(
      { runtimeUid, namespace, name, netns: { path: request.netns, inode, ips } },
      signal,
    );
    const decision = shouldCapture(pod, rules);
    if (!decision.wanted) return { ok: true, captured: false, reason: decision.reason };
    await this.#untilEnrolled(pod.uid, inode, signal);
    return { ok: true, captured: true, reason: decision.reason };
  }

  /** In this very namespace: a pod whose sandbox is made anew was enrolled in the one before. */
  async #untilEnrolled(uid: string, inode: bigint, signal: AbortSignal): Promise<void> {
    let reason = 'the pod is gone';
    while (!signal.aborted) {
      const settled = await this.#options.settled(uid);
      if (settled === undefined) throw new Error(reason);
      if (settled.status.state === 'enrolled' && settled.enrolled?.netnsInode === inode) return;
      reason = settled.status.message;
      await delay(this.#options.clock, RETRY_MS, signal).catch(() => undefined);
    }
    throw new Error(reason);
  }
}
