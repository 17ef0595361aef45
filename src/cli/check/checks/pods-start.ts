import { child, children, text } from '#shared/config/json-fields.ts';
import type { JsonObject } from '#shared/config/json.ts';
import { conditionsOf, type KubeObject } from '../../cluster/kube-object.ts';
import { isReady, proxyKindOf } from '../../cluster/mesh-pods.ts';
import { shortDuration } from '../../render/age.ts';
import { type Check, noneOf } from '../check.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';

/** What every pod says while it starts. */
const STARTING = new Set(['', 'ContainerCreating', 'PodInitializing']);
/** An image of half a gigabyte, and the state of a large mesh, are there by then. */
const START_MS = 60_000;
/** A container that ended longer ago is no news. */
const RECENT_MS = 3_600_000;

/**
 * A rollout that stands still leaves the old pods in place, so that every other check is passed; the next node, or the
 * next restart, is hit.
 */
export const PODS_START_CHECK: Omit<Check, 'category'> = {
  id: 'pods-start',
  description: 'every pod of the mesh starts, and stays',
  severity: 'warning',
  run: snapshot => {
    const pods = snapshot.pods.filter(pod => proxyKindOf(pod) !== undefined && pod.deleted === undefined);
    return noneOf(
      pods.flatMap(pod => {
        const trouble = troubleOf(pod, snapshot);
        return trouble === undefined ? [] : [`pod ${pod.namespace}/${pod.name} ${trouble}`];
      }),
      `${pods.length} pods`,
    );
  },
};

function troubleOf(pod: KubeObject, { nowMs }: ClusterSnapshot): string | undefined {
  const describe = `kubectl -n ${pod.namespace} describe pod ${pod.name}`;
  const phase = text(pod.status, 'phase');
  if (phase === 'Succeeded' || phase === 'Failed') return undefined;
  const waiting = waitingOf(pod);
  if (waiting !== undefined) {
    const ended = endOf(pod, 'lastState');
    const how = ended === undefined ? '' : ` (${howItEnded(ended)})`;
    return waiting === 'CrashLoopBackOff'
      ? `is ${waiting}${how}: ambientctl logs ${pod.name}`
      : `is ${waiting}: ${describe}`;
  }
  const ageMs = nowMs - Date.parse(text(pod.status, 'startTime') || pod.created);
  if (!isReady(pod) && ageMs > START_MS) {
    const scheduled = conditionsOf(pod.status).find(c => c.type === 'PodScheduled' && c.status === 'False');
    if (scheduled !== undefined) return `is on no node: ${scheduled.message || scheduled.reason}`;
    return phase === 'Running'
      ? `runs for ${shortDuration(ageMs)} and is not ready: ambientctl logs ${pod.name} says what it waits for`
      : `has not started for ${shortDuration(ageMs)}: ${describe}`;
  }
  const ended = endOf(pod, 'lastState');
  const endedMs = nowMs - Date.parse(text(ended ?? {}, 'finishedAt'));
  return ended !== undefined && endedMs < RECENT_MS && Number(ended['exitCode']) !== 0
    ? `ended ${shortDuration(Math.max(endedMs, 0))} ago (${howItEnded(ended)}) and was started again: kubectl -n ${pod.namespace} logs ${pod.name} --previous`
    : undefined;
}

/** Why a container of it waits, when that is not how every pod begins. Undefined: none does. */
export function waitingOf(pod: KubeObject): string | undefined {
  return containers(pod)
    .map(c => text(child(child(c, 'state'), 'waiting'), 'reason'))
    .find(reason => !STARTING.has(reason));
}

function endOf(pod: KubeObject, which: 'lastState'): JsonObject | undefined {
  return containers(pod)
    .map(c => child(child(c, which), 'terminated'))
    .find(terminated => text(terminated, 'reason') !== '');
}

/** `OOMKilled`, `Error, exit code 1`. */
function howItEnded(terminated: JsonObject): string {
  const reason = text(terminated, 'reason');
  return reason === 'OOMKilled' ? reason : `${reason}, exit code ${String(terminated['exitCode'])}`;
}

function containers(pod: KubeObject): JsonObject[] {
  return [...children(pod.status, 'initContainerStatuses'), ...children(pod.status, 'containerStatuses')];
}
