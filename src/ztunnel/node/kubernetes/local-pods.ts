import { nameKey } from '#shared/kube/known-versions.ts';
import type { LocalPod } from '../local-pod.ts';
import type { CaptureRules } from '#shared/capture/wants-mesh.ts';
import { shouldCapture } from '../should-capture.ts';
import type { NamespaceLabels } from './kube-namespace.ts';
import type { KubePod } from './kube-pod.ts';
import type { PodNetns } from './pod-netns.ts';

/** What is known of the pods of this node, from all sides. */
export interface KnownPods {
  /** Both by `<namespace>/<name>`, as `nameKey` makes it. */
  readonly pods: ReadonlyMap<string, KubePod>;
  readonly namespaces: ReadonlyMap<string, NamespaceLabels>;
  /** By runtime uid. */
  readonly netns: ReadonlyMap<string, PodNetns>;
  /** Runtime uids of pods that had a network namespace, and have lost it. */
  readonly lost: ReadonlySet<string>;
}

/**
 * The pods that live. One whose containers have all ended (a job that is done) has no traffic, and its address may be
 * another pod's by now; the same holds for one whose network was taken away, which the API server hears of later.
 * A pod that has not changed is the same object as in `before`.
 */
export function localPods(known: KnownPods, before: ReadonlyMap<string, LocalPod>): Map<string, LocalPod> {
  const pods = new Map<string, LocalPod>();
  for (const pod of known.pods.values()) {
    if (pod.phase === 'ended' || isGone(pod, known)) continue;
    const now = localPod(pod, known);
    const last = before.get(pod.uid);
    pods.set(pod.uid, last !== undefined && JSON.stringify(last) === JSON.stringify(now) ? last : now);
  }
  return pods;
}

function isGone({ runtimeUid, isTerminating }: KubePod, { netns, lost }: KnownPods): boolean {
  return !netns.has(runtimeUid) && (isTerminating || lost.has(runtimeUid));
}

/** Runtime uids of the pods that are wanted in the mesh, and whose network namespace is not known. */
export function withoutNetns(known: KnownPods, rules: CaptureRules): Set<string> {
  const missing = new Set<string>();
  for (const pod of known.pods.values()) {
    if (pod.phase === 'ended' || known.netns.has(pod.runtimeUid)) continue;
    if (shouldCapture(localPod(pod, known), rules).wanted) missing.add(pod.runtimeUid);
  }
  return missing;
}

export function namespaceKey(name: string): string {
  return nameKey({ namespace: '', name });
}

function localPod(pod: KubePod, { namespaces, netns }: KnownPods): LocalPod {
  const { uid, name, namespace, serviceAccount, labels, hostNetwork, sidecar } = pod;
  const { bypassInbound, dnsCapture, probePorts } = pod;
  const found = netns.get(pod.runtimeUid);
  return {
    uid,
    name,
    namespace,
    serviceAccount,
    labels,
    namespaceLabels: namespaces.get(namespaceKey(namespace)) ?? {},
    // The CNI plugin knows them before the API server does.
    ips: pod.ips.length > 0 ? pod.ips : (found?.ips ?? []),
    netnsPath: found?.path,
    hostNetwork,
    starting: pod.phase === 'pending',
    sidecar,
    bypassInbound,
    dnsCapture,
    probePorts,
  };
}
