import { isJsonObject, type JsonObject } from '#shared/config/json.ts';

/** On a node whose ztunnel is not ready: pods that do not tolerate it wait. */
export const NOT_READY_TAINT = 'ambient.mesh/not-ready';
/** What templates of nodes were given for other meshes of the kind; it is taken away as well, and never put. */
const KNOWN_TAINTS: ReadonlySet<unknown> = new Set([NOT_READY_TAINT, 'cni.istio.io/not-ready']);
const EFFECT = 'NoSchedule';

/** How the ztunnels of one node stand. */
export interface NodeZtunnels {
  /** Ready, and not on its way out. */
  readonly ready: number;
  /** Not ready, and not on its way out. */
  readonly starting: number;
}

/** A Pod of the DaemonSet, as far as it matters here; undefined: it is on no node yet. */
export function ztunnelPod(
  pod: JsonObject,
): { node: string; counts: keyof NodeZtunnels | undefined } | undefined {
  const [spec, status, metadata] = ['spec', 'status', 'metadata'].map(name => objectOf(pod, name));
  const node = spec?.['nodeName'];
  if (typeof node !== 'string' || node === '') return undefined;
  if (metadata?.['deletionTimestamp'] !== undefined) return { node, counts: undefined };
  const conditions = status?.['conditions'];
  const ready =
    Array.isArray(conditions) &&
    conditions.some(c => isJsonObject(c) && c['type'] === 'Ready' && c['status'] === 'True');
  return { node, counts: ready ? 'ready' : 'starting' };
}

/**
 * The taints the node should have, or undefined when it has them. With a ready ztunnel it is free; with one that is starting
 * it is closed; without any nothing is changed: it may be a node that is not meant to have one, or the mesh is being
 * uninstalled. Other taints are left as they are.
 */
export function desiredTaints(
  taints: readonly unknown[],
  ztunnels: NodeZtunnels,
): readonly unknown[] | undefined {
  if (ztunnels.ready > 0) {
    const others = taints.filter(taint => !isObject(taint) || !KNOWN_TAINTS.has(taint['key']));
    return others.length === taints.length ? undefined : others;
  }
  const isTainted = taints.some(taint => isObject(taint) && taint['key'] === NOT_READY_TAINT);
  if (ztunnels.starting === 0 || isTainted) return undefined;
  return [...taints, { key: NOT_READY_TAINT, effect: EFFECT }];
}

export function taintsOf(node: JsonObject): readonly unknown[] {
  const taints = objectOf(node, 'spec')['taints'];
  return Array.isArray(taints) ? taints : [];
}

function objectOf(object: JsonObject, name: string): JsonObject {
  const value = object[name];
  return isJsonObject(value) ? value : {};
}

function isObject(value: unknown): value is JsonObject {
  return isJsonObject(value);
}
