import type { Locality, ServicePort, Workload } from '#shared/workload/workload.ts';
import { canonicalName, canonicalRevision } from '../canonical.ts';
import type { Cluster } from '../cluster.ts';
import type { ServiceSpec, ServiceSpecPort } from '../service/service-spec.ts';
import { bindWaypoint, type WaypointLookup } from '../waypoint-gateway/bind-waypoint.ts';
import type { WorkloadSpec } from './workload-spec.ts';

/** What other objects say about a workload: pure reads of the index as it is. */
export interface WorkloadContext extends WaypointLookup {
  readonly cluster: Cluster;
  readonly namespaceLabels: Readonly<Record<string, string>>;
  /** Of its node. */
  readonly locality: Locality;
  /** Of its namespace that it is an endpoint of. */
  readonly services: readonly ServiceSpec[];
  /** What name servers call it; empty: it has no such name. */
  readonly dnsName: string;
  /** `<namespace>/<name>` of policies whose selector it matches, sorted. */
  readonly policies: readonly string[];
}

export function toWorkload(spec: WorkloadSpec, context: WorkloadContext): Workload {
  const { cluster, namespaceLabels, policies } = context;
  const { labels, namespace } = spec;
  const binding = bindWaypoint({ traffic: 'workload', namespace, labels, namespaceLabels }, context, cluster);
  return {
    uid: spec.uid,
    name: spec.name,
    namespace,
    addresses: spec.addresses,
    hostname: spec.hostname,
    dnsName: context.dnsName,
    network: spec.network || cluster.network,
    tunnelProtocol: spec.tunnelProtocol,
    trustDomain: cluster.trustDomain,
    serviceAccount: spec.serviceAccount,
    waypoint: binding.address,
    networkGateway: undefined,
    node: spec.node,
    canonicalName: canonicalName(labels, spec.workloadName),
    canonicalRevision: canonicalRevision(labels),
    workloadType: spec.workloadType,
    workloadName: spec.workloadName,
    nativeTunnel: spec.nativeTunnel,
    applicationTunnel: undefined,
    services: servicePorts(spec, context),
    authorizationPolicies: policies,
    status: spec.healthy ? 'healthy' : 'unhealthy',
    clusterId: cluster.clusterId,
    locality: spec.locality === '' ? context.locality : parseLocality(spec.locality),
    networkMode: spec.hostNetwork ? 'host_network' : 'standard',
    capacity: spec.capacity,
  };
}

/** Whether the labels are what a selector asks for. An empty selector selects nothing, as for a Service. */
export function isSelected(
  selector: ReadonlyMap<string, string>,
  labels: Readonly<Record<string, string>>,
): boolean {
  if (selector.size === 0) return false;
  for (const [key, value] of selector) if (labels[key] !== value) return false;
  return true;
}

/** Undefined: the workload has no such port. */
export function targetPortOf(
  { targetPort }: Pick<ServiceSpecPort, 'targetPort'>,
  { declaredPorts, namedPorts }: Pick<WorkloadSpec, 'declaredPorts' | 'namedPorts'>,
): number | undefined {
  if (typeof targetPort === 'string') return namedPorts.get(targetPort);
  return declaredPorts?.has(targetPort) === false ? undefined : targetPort;
}

/** A target port that this workload does not have leaves it out of that port's endpoints. */
function servicePorts(
  spec: WorkloadSpec,
  { services }: WorkloadContext,
): ReadonlyMap<string, readonly ServicePort[]> {
  return new Map(
    services.map(service => [
      `${service.namespace}/${service.hostname}`,
      service.ports.flatMap(port => {
        const targetPort = targetPortOf(port, spec);
        if (targetPort === undefined) return [];
        return [{ servicePort: port.port, targetPort, appProtocol: port.appProtocol }];
      }),
    ]),
  );
}

function parseLocality(text: string): Locality {
  const [region = '', zone = '', subzone = ''] = text.split('/');
  return { region, zone, subzone };
}
