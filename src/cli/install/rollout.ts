import { CliError } from '../cli-error.ts';
import type { Cli } from '../cli.ts';
import type { Cluster } from '../cluster/kube-api.ts';
import { DAEMON_SET, DEPLOYMENT } from '../cluster/kinds.ts';
import type { KubeObject } from '../cluster/kube-object.ts';
import { isReady, podState, proxyKindOf } from '../cluster/mesh-pods.ts';
import { listMeshPods } from '../cluster-proxies.ts';
import { text } from '#shared/config/json-fields.ts';

const POLL_MS = 1_000;

/** How far one Deployment or DaemonSet is. */
export interface Progress {
  readonly name: string;
  readonly ready: number;
  readonly wanted: number;
  /** Ready, of the newest revision, and nothing of an older one left. */
  readonly done: boolean;
}

/** Pure: what the API server says of a rollout. A status of an older generation says nothing of this one. */
export function progressOf({ kind, name, raw, spec, status }: KubeObject): Progress {
  const number = (object: typeof status, field: string): number => Number(text(object, field) || '0');
  const metadata = raw['metadata'];
  const generation =
    typeof metadata === 'object' && metadata !== null && 'generation' in metadata ? metadata.generation : 0;
  const isSeen = number(status, 'observedGeneration') >= Number(generation);
  const isDaemonSet = kind === 'DaemonSet';
  const wanted = isDaemonSet ? number(status, 'desiredNumberScheduled') : number(spec, 'replicas');
  const ready = isDaemonSet ? number(status, 'numberReady') : number(status, 'readyReplicas');
  const updated = number(status, isDaemonSet ? 'updatedNumberScheduled' : 'updatedReplicas');
  const total = isDaemonSet ? number(status, 'currentNumberScheduled') : number(status, 'replicas');
  return {
    name,
    ready,
    wanted,
    done: isSeen && wanted > 0 && ready >= wanted && updated >= wanted && total <= wanted,
  };
}

/** Waits until the mesh's own workloads are rolled out, telling what changes. @throws CliError at the deadline, with what is not ready */
export async function untilRolledOut(
  cluster: Cluster,
  namespace: string,
  waitMs: number,
  cli: Cli,
): Promise<void> {
  const deadline = cli.elapsed() + waitMs;
  const told = new Map<string, string>();
  for (;;) {
    const progress = await readProgress(cluster, namespace);
    for (const { name, ready, wanted } of progress) {
      const line = `${name}: ${ready}/${wanted} ready\n`;
      if (told.get(name) !== line) cli.stdout(line);
      told.set(name, line);
    }
    if (progress.length > 0 && progress.every(p => p.done)) return;
    if (cli.elapsed() >= deadline) {
      const pods = (await listMeshPods(cluster)).filter(p => p.namespace === namespace && !isReady(p));
      const states = pods.map(p => `${p.name} is ${podState(p)}`).join(', ') || 'no pod was made';
      throw new CliError(
        `not ready after ${waitMs / 1_000} s: ${states}; try: kubectl -n ${namespace} get events, ambientctl check`,
      );
    }
    await cli.sleep(POLL_MS);
  }
}

async function readProgress({ api }: Cluster, namespace: string): Promise<Progress[]> {
  const [deployments = [], daemonSets = []] = await Promise.all([
    api.list(DEPLOYMENT, { namespace }),
    api.list(DAEMON_SET, { namespace }),
  ]);
  const ours = [...deployments, ...daemonSets].filter(o =>
    ['controller', 'ztunnel'].includes(proxyKindOf(o) ?? ''),
  );
  return ours.map(progressOf);
}
