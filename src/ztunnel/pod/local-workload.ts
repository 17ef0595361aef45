import type { MeshView } from '#shared/workload/mesh-view.ts';
import type { Workload } from '#shared/workload/workload.ts';

/** What the node itself knows of one of its pods: enough to give it an identity before the controller has heard of it. */
export interface LocalWorkloadInfo {
  /** Kubernetes pod UID, or any name of this run of the workload. */
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Canonical text. */
  readonly ips: readonly string[];
}

export interface LocalWorkloadSettings {
  readonly trustDomain: string;
  readonly clusterId: string;
  readonly network: string;
  readonly nodeName: string;
}

export interface LocalWorkload {
  readonly workload: Workload;
  /** False while the controller has not told about it: which policies select it is not known then. */
  readonly known: boolean;
}

/**
 * The pod as the mesh knows it. Its identity is the node's word alone: what the controller says about another service
 * account (a pod of the same name, recreated a moment ago) is not believed.
 */
export function findLocalWorkload(
  view: MeshView,
  info: LocalWorkloadInfo,
  settings: LocalWorkloadSettings,
): LocalWorkload {
  const byUid = view.workload(`${settings.clusterId}//Pod/${info.namespace}/${info.name}`);
  if (byUid !== undefined && isSame(byUid, info)) return { workload: byUid, known: true };
  for (const ip of info.ips) {
    // A WorkloadEntry, whose uid is not that of a pod.
    const byAddress = view.workloadByAddress(settings.network, ip);
    if (byAddress !== undefined && isSame(byAddress, info)) return { workload: byAddress, known: true };
  }
  return { workload: provisionalWorkload(info, settings), known: false };
}

/** Whether other proxies that have heard the same dial the pod without a tunnel. */
export function isDialledDirectly(
  view: MeshView,
  clusterId: string,
  { namespace, name }: Pick<LocalWorkloadInfo, 'namespace' | 'name'>,
): boolean {
  return view.workload(`${clusterId}//Pod/${namespace}/${name}`)?.tunnelProtocol !== 'hbone';
}

function isSame(workload: Workload, info: LocalWorkloadInfo): boolean {
  return workload.namespace === info.namespace && workload.serviceAccount === info.serviceAccount;
}

function provisionalWorkload(info: LocalWorkloadInfo, settings: LocalWorkloadSettings): Workload {
  return {
    uid: `${settings.clusterId}//Pod/${info.namespace}/${info.name}`,
    name: info.name,
    namespace: info.namespace,
    addresses: info.ips,
    hostname: '',
    dnsName: '',
    network: settings.network,
    tunnelProtocol: 'hbone',
    trustDomain: settings.trustDomain,
    serviceAccount: info.serviceAccount,
    waypoint: undefined,
    networkGateway: undefined,
    node: settings.nodeName,
    canonicalName: info.name,
    canonicalRevision: 'latest',
    workloadType: 'pod',
    workloadName: info.name,
    nativeTunnel: false,
    applicationTunnel: undefined,
    services: new Map(),
    authorizationPolicies: [],
    status: 'healthy',
    clusterId: settings.clusterId,
    locality: { region: '', zone: '', subzone: '' },
    networkMode: 'standard',
    capacity: 1,
  };
}
