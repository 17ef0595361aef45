import { child, children, text } from '#shared/config/json-fields.ts';
import type { ProxyKind } from '../proxies.ts';
import { isConditionTrue, type KubeObject } from './kube-object.ts';

/** How the mesh's own pods are known. The charts and the controller's waypoint deployments put these labels on them. */
export const APP_NAME = 'app.kubernetes.io/name';
export const GATEWAY_NAME = 'gateway.networking.k8s.io/gateway-name';
const ZTUNNEL_APP = 'ztunnel';
const CONTROLLER_APP = 'ambient-controller';

/** Where each kind of proxy has its admin server, on loopback of its pod. */
export const ADMIN_PORTS: Readonly<Record<ProxyKind, number>> = {
  ztunnel: 15_000,
  waypoint: 15_000,
  controller: 15_014,
};

/** Undefined for pods that are no part of the mesh. */
export function proxyKindOf(pod: KubeObject): ProxyKind | undefined {
  if (GATEWAY_NAME in pod.labels) return 'waypoint';
  switch (pod.labels[APP_NAME]) {
    case ZTUNNEL_APP:
      return 'ztunnel';
    case CONTROLLER_APP:
      return 'controller';
    default:
      return undefined;
  }
}

/** Of the three selectors one list each: label selectors know no OR over several labels. */
export const MESH_POD_SELECTORS: readonly string[] = [
  `${APP_NAME} in (${ZTUNNEL_APP},${CONTROLLER_APP})`,
  GATEWAY_NAME,
];

export function isRunning(pod: KubeObject): boolean {
  return text(pod.status, 'phase') === 'Running' && pod.deleted === undefined;
}

export function isReady(pod: KubeObject): boolean {
  return isConditionTrue(pod.status, 'Ready');
}

export function nodeOf(pod: KubeObject): string {
  return text(pod.spec, 'nodeName');
}

export function podIps(pod: KubeObject): readonly string[] {
  const all = children(pod.status, 'podIPs').map(a => text(a, 'ip'));
  return all.length > 0 ? all : [text(pod.status, 'podIP')].filter(ip => ip !== '');
}

/** Why a pod is not running yet, in the words of its first container that waits; else its phase. */
export function podState(pod: KubeObject): string {
  if (pod.deleted !== undefined) return 'Terminating';
  const waiting = children(pod.status, 'containerStatuses')
    .map(c => text(child(child(c, 'state'), 'waiting'), 'reason'))
    .find(reason => reason !== '');
  return waiting ?? (text(pod.status, 'phase') || 'Unknown');
}
