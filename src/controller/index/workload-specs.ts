import type { Workload } from '#shared/workload/workload.ts';
import type { SliceEndpoint, SliceSpec } from '../translate/endpoint-slice/endpoint-slice.ts';
import { EXTERNAL_WORKLOAD } from '../translate/external-workload/external-workload.ts';
import { isSelected, toWorkload } from '../translate/pod-to-workload/pod-to-workload.ts';
import type { EndpointName, WorkloadSpec } from '../translate/pod-to-workload/workload-spec.ts';
import type { ServiceSpec } from '../translate/service/service-spec.ts';
import type { MeshObjects } from './mesh-objects.ts';
import type { ParsedKind } from './parsed-kind.ts';
import type { PolicySet } from './policy-set.ts';

/** What `specsIn` reads. */
export function workloadKinds({
  linkerd,
  pods,
  serviceEntries,
  slices,
  workloadEntries,
}: MeshObjects): readonly ParsedKind<unknown>[] {
  return [pods, workloadEntries, linkerd.externalWorkloads, serviceEntries, slices];
}

/** Where workloads run that have objects of their own. */
export function namespacesOfWorkloads({ linkerd, pods, workloadEntries }: MeshObjects): ReadonlySet<string> {
  const kinds = [pods, workloadEntries, linkerd.externalWorkloads];
  return new Set(kinds.flatMap(kind => [...kind.namespaces()]));
}

/** A kind each of whose objects is a workload, and what its workloads have in their uids. */
export function workloadKind(
  { linkerd, pods, workloadEntries }: MeshObjects,
  kind: string,
): readonly [specs: ParsedKind<WorkloadSpec | undefined>, type: string] {
  if (kind === 'WorkloadEntry') return [workloadEntries, 'networking.istio.io/WorkloadEntry'];
  return kind === 'ExternalWorkload' ? [linkerd.externalWorkloads, EXTERNAL_WORKLOAD] : [pods, '/Pod'];
}

/** Everything that runs in a namespace. */
export function* specsIn(objects: MeshObjects, namespace: string): Generator<WorkloadSpec> {
  for (const { value } of objects.pods.inNamespace(namespace)) if (value !== undefined) yield value;
  for (const { value } of objects.workloadEntries.inNamespace(namespace))
    if (value !== undefined) yield value;
  for (const { value } of objects.linkerd.externalWorkloads.inNamespace(namespace))
    if (value !== undefined) yield value;
  for (const { value } of objects.serviceEntries.inNamespace(namespace)) yield* value.workloads;
  for (const { value } of objects.slices.inNamespace(namespace)) {
    if (value === undefined || !isManual(objects, value)) continue;
    for (const endpoint of value.endpoints) {
      if (endpoint.pod === undefined) yield sliceWorkload(objects, value, endpoint);
    }
  }
}

/** Services of its namespace that a workload is an endpoint of, with the ports of a slice where one says so. */
export function servicesOf(objects: MeshObjects, spec: WorkloadSpec): readonly ServiceSpec[] {
  const found = [...objects.servicesSelecting(spec.namespace, spec.labels)];
  for (const { value } of objects.slices.inNamespace(spec.namespace)) {
    if (value === undefined || !isManual(objects, value) || !holds(value, spec)) continue;
    const service = objects.services.get(value.namespace, value.service)?.value;
    if (service !== undefined) found.push(withSlicePorts(service, value));
  }
  for (const { value } of objects.serviceEntries.inNamespace(spec.namespace)) {
    const isOwn = value.workloads.some(({ uid }) => uid === spec.uid);
    for (const service of value.services) {
      if (isOwn && isEndpointOf(spec, service)) found.push(withEndpointPorts(service, spec));
      else if (isSelected(service.selector, spec.labels)) found.push(withEndpointPorts(service, spec));
    }
  }
  return found;
}

/** A host that is its own endpoint is no other's; endpoints that are written are of every host of their entry. */
function isEndpointOf(
  { hostname: own, name: named }: WorkloadSpec,
  { hostname, name }: ServiceSpec,
): boolean {
  return own === '' || named !== `${name}-${own}` || own === hostname;
}

/** A port that the endpoint has under the same name takes the place of the entry's. */
function withEndpointPorts(service: ServiceSpec, { namedPorts }: WorkloadSpec): ServiceSpec {
  const ports = service.ports.map(port => ({
    ...port,
    targetPort: namedPorts.get(port.name) ?? port.targetPort,
  }));
  return { ...service, ports };
}

export function workloadOf(objects: MeshObjects, policies: PolicySet, spec: WorkloadSpec): Workload {
  const services = servicesOf(objects, spec);
  return toWorkload(spec, {
    cluster: objects.options.cluster,
    dnsName: dnsNameOf(objects, spec, services),
    waypoint: (namespace, name) => objects.waypoint(namespace, name),
    namespaceLabels: objects.namespaceMeta(spec.namespace).labels,
    locality: objects.nodeLocality(spec.node),
    services,
    policies: policies.namesFor(spec),
  });
}

/**
 * What the cluster's name server calls it, where it is an endpoint of that Service. The wire has room for one name: its own
 * goes before those that slices give it, of which the first by the Service's name counts: replicas shall say the same.
 */
function dnsNameOf(objects: MeshObjects, spec: WorkloadSpec, services: readonly ServiceSpec[]): string {
  const { clusterDomain } = objects.options.cluster;
  for (const { hostname, service } of endpointNames(objects, spec)) {
    const whole = `${service}.${spec.namespace}.svc.${clusterDomain}`;
    if (services.some(one => one.hostname === whole)) return `${hostname}.${whole}`;
  }
  return '';
}

function endpointNames(objects: MeshObjects, spec: WorkloadSpec): readonly EndpointName[] {
  const given: EndpointName[] = [];
  for (const { value } of objects.slices.inNamespace(spec.namespace)) {
    if (value === undefined || !isManual(objects, value)) continue;
    for (const { hostname, pod } of value.endpoints)
      if (pod === spec.name && hostname !== undefined) given.push({ hostname, service: value.service });
  }
  given.sort((a, b) =>
    a.service < b.service || (a.service === b.service && a.hostname < b.hostname) ? -1 : 1,
  );
  return spec.endpointName === undefined ? given : [spec.endpointName, ...given];
}

/** With a selector, the pods that it selects say all: slices of such a Service are copies of them. */
function isManual(objects: MeshObjects, slice: SliceSpec): boolean {
  return objects.services.get(slice.namespace, slice.service)?.value?.selector.size === 0;
}

function holds(slice: SliceSpec, spec: WorkloadSpec): boolean {
  return slice.endpoints.some(endpoint =>
    endpoint.pod === undefined ? uidOf(slice, endpoint, spec.uid) : endpoint.pod === spec.name,
  );
}

function uidOf(slice: SliceSpec, endpoint: SliceEndpoint, uid: string): boolean {
  return uid.endsWith(`/EndpointSlice/${slice.namespace}/${slice.name}/${endpoint.address}`);
}

function withSlicePorts(service: ServiceSpec, slice: SliceSpec): ServiceSpec {
  const ports = service.ports.flatMap(port => {
    const targetPort = slice.ports.get(port.name);
    return targetPort === undefined ? [] : [{ ...port, targetPort }];
  });
  return { ...service, ports };
}

/** An address that nobody's pod has: outside the mesh, dialled in plaintext. */
function sliceWorkload(objects: MeshObjects, slice: SliceSpec, endpoint: SliceEndpoint): WorkloadSpec {
  const { clusterId } = objects.options.cluster;
  const { name, namespace } = slice;
  return {
    uid: `${clusterId}/discovery.k8s.io/EndpointSlice/${namespace}/${name}/${endpoint.address}`,
    name: `${name}-${endpoint.address}`,
    namespace,
    labels: {},
    consulMeta: {},
    addresses: [endpoint.address],
    hostname: '',
    endpointName:
      endpoint.hostname === undefined ? undefined : { hostname: endpoint.hostname, service: slice.service },
    node: endpoint.node,
    serviceAccount: 'default',
    hostNetwork: false,
    healthy: endpoint.ready,
    tunnelProtocol: 'none',
    nativeTunnel: false,
    workloadName: slice.service,
    workloadType: 'pod',
    namedPorts: new Map(),
    declaredPorts: undefined,
    network: '',
    locality: endpoint.zone === '' ? '' : `/${endpoint.zone}/`,
    capacity: 1,
  };
}
