import type { CaptureOptions } from '../redirect/capture-rules.ts';
import type { PodDnsServer } from './enrolment.ts';
import type { LocalPod } from './local-pod.ts';
import { explained, type PodCapture } from './pod-capture.ts';

/**
 * Resolves when the DNS of a pod is answered, if it is to be captured. Once it is, it is so until the pod leaves: what its
 * applications have asked from one port goes on being redirected by connection tracking when the rules are gone.
 * Rejects when it cannot be, with what an operator has to know.
 */
export async function serveDns(
  { captureFor, dns }: { captureFor: (pod: LocalPod) => CaptureOptions; dns: PodDnsServer },
  { netns }: PodCapture,
  pod: LocalPod,
): Promise<void> {
  const { captureDns, ports } = captureFor(pod);
  if (!captureDns || dns.serves(pod.uid)) return;
  try {
    await dns.serve(pod, netns.fd, ports.dns);
  } catch (cause) {
    throw explained(cause, ports.dns);
  }
}
