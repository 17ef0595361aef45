import { RELEASE_ANNOTATION } from '#shared/capture/release.ts';
import { isJsonObject, type JsonObject } from '#shared/config/json.ts';
import { type KubeApi, MERGE_PATCH } from '#shared/kube/client.ts';
import { DAEMON_SETS, PODS } from '#shared/kube/core-resources.ts';
import { isNotFound } from '#shared/kube/kube-error.ts';
import { listObjects } from '#shared/kube/list.ts';
import { objectPath } from '#shared/kube/resource.ts';
import { type Clock, delay } from '#shared/lifecycle/clock.ts';

const REDIRECTION = 'ambient.istio.io/redirection';
const POLL_MS = 500;
const MAX_NAMED = 10;

export interface ReleaseOptions {
  readonly api: KubeApi;
  readonly namespace: string;
  readonly daemonSet: string;
  readonly deadlineMs: number;
  readonly clock: Clock;
  readonly print: (line: string) => void;
}

/**
 * Takes every pod of the cluster out of the mesh, before anything of it is deleted: a pod whose rules stayed behind would
 * reach nobody. Resolves when no pod says any more that it is captured. Rejects after the deadline, naming those that do.
 */
export async function releasePods(options: ReleaseOptions): Promise<void> {
  const { api, clock, daemonSet, deadlineMs, namespace, print } = options;
  try {
    await api.request({
      method: 'PATCH',
      contentType: MERGE_PATCH,
      path: objectPath(DAEMON_SETS, namespace, daemonSet),
      body: { metadata: { annotations: { [RELEASE_ANNOTATION]: 'true' } } },
    });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    print(`DaemonSet ${namespace}/${daemonSet} is not there: nobody captures pods`);
    return;
  }
  print(`DaemonSet ${namespace}/${daemonSet}: told to release every pod`);
  const end = clock.monotonic() + deadlineMs;
  for (let last = -1; ; ) {
    const captured = await capturedPods(api);
    if (captured.length === 0) return print('every pod is released');
    if (clock.monotonic() > end) throw new Error(stillCaptured(captured, deadlineMs));
    if (captured.length !== last) print(`${captured.length} pods are still captured`);
    last = captured.length;
    await delay(clock, POLL_MS);
  }
}

/** `<namespace>/<name>` of pods that run and are in the mesh. */
async function capturedPods(api: KubeApi): Promise<string[]> {
  const captured: string[] = [];
  const selection = { resource: PODS, fieldSelector: 'status.phase=Running', metadataOnly: true };
  await listObjects(api, selection, {
    onPage: items => captured.push(...items.flatMap(item => capturedName(item) ?? [])),
  });
  return captured;
}

function capturedName(pod: JsonObject): string | undefined {
  const { metadata } = pod;
  if (!isJsonObject(metadata) || !isJsonObject(metadata['annotations'])) return undefined;
  if (metadata['annotations'][REDIRECTION] === undefined) return undefined;
  return `${String(metadata['namespace'])}/${String(metadata['name'])}`;
}

function stillCaptured(pods: readonly string[], deadlineMs: number): string {
  const named = pods.slice(0, MAX_NAMED).join(', ') + (pods.length > MAX_NAMED ? ', …' : '');
  return (
    `after ${deadlineMs / 1_000} s these are still captured: ${named}. Is the ztunnel of their nodes running? ` +
    'Where a node is gone for good, delete its pods, or uninstall without hooks and restart them'
  );
}
