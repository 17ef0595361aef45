import type { KubeObject } from '../cluster/kube-object.ts';
import { isRunning, proxyKindOf } from '../cluster/mesh-pods.ts';
import { meshWish } from '../cluster/mesh-wish.ts';
import type { ConfigDump } from '../config-dump.ts';
import type { ProxyRef } from '../proxies.ts';
import type { OtherObjects } from './other-kinds.ts';
import type { SyncedProxy } from '../sync-status.ts';

/** Undefined: the kind is not served, or we may not list it. */
type Listed = readonly KubeObject[] | undefined;

/** A proxy that was asked. */
export interface AskedProxy {
  readonly ref: ProxyRef;
  /** Undefined when it did not answer: `error` says why. */
  readonly dump: ConfigDump | undefined;
  readonly error: string | undefined;
}

/** What a ztunnel says of the pods of its node: its `/debug/pods`. */
export interface NodeReport {
  readonly node: string;
  readonly pods: readonly { readonly name: string; readonly state: string; readonly message: string }[];
  /** What an operator has to know although the proxy is ready; a line each. */
  readonly warnings: readonly string[];
  /** Why one that is not ready serves no pods; a line each. */
  readonly waiting: readonly string[];
}

export interface RejectedObject {
  readonly name: string;
  readonly reasons: readonly string[];
}

/** Everything that checks judge, gathered once. */
export interface ClusterSnapshot {
  /** Wall clock, ms since 1970. */
  readonly nowMs: number;
  readonly clientVersion: string;
  readonly serverVersion: string;
  readonly nodes: readonly KubeObject[];
  readonly namespaces: readonly KubeObject[];
  readonly pods: readonly KubeObject[];
  readonly services: readonly KubeObject[];
  readonly crds: Listed;
  readonly gateways: Listed;
  readonly networkPolicies: Listed;
  readonly leases: Listed;
  readonly deployments: Listed;
  readonly daemonSets: Listed;
  readonly configMaps: Listed;
  readonly events: Listed;
  readonly proxies: readonly AskedProxy[];
  /** Of the ztunnels that told. */
  readonly nodeReports: readonly NodeReport[];
  readonly synced: readonly SyncedProxy[];
  /** Undefined when no controller told. */
  readonly rejected: readonly RejectedObject[] | undefined;
  /** Objects of kinds that are not read. Undefined when definitions cannot be listed. */
  readonly others: readonly OtherObjects[] | undefined;
  /** Plurals of the kinds that the caller may not list: of these is not known what is there. */
  readonly unlisted: ReadonlySet<string>;
  /** What the caller may not do of what an installation needs: `create customresourcedefinitions`. */
  readonly forbidden: readonly string[];
}

/** What is running of the mesh itself. */
export function proxyPods(snapshot: ClusterSnapshot, kind: ProxyRef['kind']): readonly KubeObject[] {
  return snapshot.pods.filter(pod => proxyKindOf(pod) === kind && isRunning(pod));
}

/** The namespace the mesh is installed in; undefined when it is in none. */
export function systemNamespace(snapshot: ClusterSnapshot): string | undefined {
  const objects = [...(snapshot.deployments ?? []), ...(snapshot.daemonSets ?? []), ...snapshot.pods];
  return objects.find(o => ['controller', 'ztunnel'].includes(proxyKindOf(o) ?? ''))?.namespace;
}

/** Whether labels ask for a pod to be captured: the node agent's own rule. Waypoints are never captured. */
export function wantsCapture(snapshot: ClusterSnapshot, pod: KubeObject): boolean {
  const namespace = snapshot.namespaces.find(n => n.name === pod.namespace);
  const excluded = ['kube-system', systemNamespace(snapshot) ?? ''];
  return proxyKindOf(pod) === undefined && meshWish(pod, namespace, excluded).wanted;
}

export function answered(snapshot: ClusterSnapshot): readonly (AskedProxy & { readonly dump: ConfigDump })[] {
  return snapshot.proxies.flatMap(p => (p.dump === undefined ? [] : [{ ...p, dump: p.dump }]));
}
