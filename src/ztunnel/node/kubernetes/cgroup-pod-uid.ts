/**
 * `pod<uid>` in the path of a control group, as the kubelet names it with either of its drivers: `…/pod0a1b-…/…`, and
 * `…-pod0a1b_….slice/…` with systemd. The uid of a static pod is a hash.
 */
const POD = /[/-]pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?(?:\/|$)/m;

/**
 * The pod that a process belongs to, from its `/proc/<pid>/cgroup` (cgroups(7)), or undefined. A process cannot choose its
 * control group, so this is not for a pod to say.
 */
export function podUidOfCgroup(text: string): string | undefined {
  return POD.exec(text)?.[1]?.replaceAll('_', '-');
}
