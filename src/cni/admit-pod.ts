import type { AdmissionAnswer } from '#shared/cni/admission.ts';
import type { MeshWish } from '#shared/capture/wants-mesh.ts';
import { type Clock, delay } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { CniError, CniErrorCode } from './cni-error.ts';
import type { PodArgs } from './invocation.ts';

export interface AdmitPodOptions {
  readonly pod: PodArgs;
  readonly failOpen: boolean;
  readonly excludedNamespaces: readonly string[];
  /** Rejects when no ztunnel answers. */
  readonly askZtunnel: () => Promise<AdmissionAnswer>;
  /** Rejects when the API server does not say. */
  readonly askApiServer: () => Promise<MeshWish>;
  readonly clock: Clock;
}

/** A ztunnel that is being replaced, or was killed, is back by then; the kubelet tries again after it. */
const PATIENCE_MS = 15_000;
const RETRY_MS = 100;

/**
 * Lets a pod start: when ztunnel says so, or when it has nothing to do with the mesh. A pod of the mesh waits for a ztunnel,
 * and is not started without one. Throws `CniError`, which says what to do. @returns why it may start.
 */
export async function admitPod(options: AdmitPodOptions): Promise<string> {
  const { pod, clock, askZtunnel } = options;
  const deadline = clock.monotonic() + PATIENCE_MS;
  let wish: MeshWish | undefined;
  for (;;) {
    try {
      return accepted(await askZtunnel());
    } catch (error) {
      if (error instanceof CniError) throw error;
      const reason = errorMessage(error);
      if (options.excludedNamespaces.includes(pod.namespace)) return `namespace ${pod.namespace} is excluded`;
      wish ??= await options.askApiServer().catch(() => undefined);
      if (wish?.wanted === false) return wish.reason;
      if (options.failOpen) return `started outside the mesh: ${reason}`;
      if (clock.monotonic() >= deadline) throw absent(pod, reason, wish);
    }
    await delay(clock, RETRY_MS);
  }
}

function accepted(answer: AdmissionAnswer): string {
  if (answer.ok) return answer.reason;
  throw new CniError(CniErrorCode.refused, `the mesh cannot take this pod in: ${answer.reason}`);
}

function absent(pod: PodArgs, reason: string, wish: MeshWish | undefined): CniError {
  const why =
    wish === undefined
      ? 'it is not known whether the pod is of the mesh, because neither ztunnel nor the API server answers'
      : wish.reason;
  return new CniError(
    CniErrorCode.tryAgainLater,
    `pod ${pod.namespace}/${pod.name} waits for the ztunnel of this node (${why}): ${reason}; see the ztunnel pod of this node, or set CNI_FAIL_OPEN=true on its DaemonSet`,
  );
}
