import { canonicalIp } from '#shared/workload/ip.ts';
import type { JsonObject } from '#shared/config/json.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import type { Cluster } from '../cluster.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { flagAt, numberAt, objectAt, objectsAt, textAt } from '../loose-fields.ts';
import { NETWORK, REDIRECTION, TUNNEL } from '../mesh-labels.ts';
import { dnsLabel } from './dns-label.ts';
import { podOwner } from './pod-owner.ts';
import type { EndpointName, WorkloadSpec } from './workload-spec.ts';

/** Undefined for a pod that nothing can be sent to: without an address, or finished. */
export function readPod(pod: KubeObject, cluster: Cluster): Translated<WorkloadSpec | undefined> {
  const diagnostics = new Diagnostics(pod);
  const spec = objectAt(pod.spec);
  const status = objectAt(pod.status);
  const addresses = podIps(status, diagnostics);
  const phase = textAt(status, 'phase');
  if (addresses.length === 0 || phase === 'Succeeded' || phase === 'Failed')
    return diagnostics.conclude(undefined);
  const { labels, name, namespace } = pod.metadata;
  const hostNetwork = flagAt(spec, 'hostNetwork');
  return diagnostics.conclude({
    uid: `${cluster.clusterId}//Pod/${namespace}/${name}`,
    name,
    namespace,
    labels,
    consulMeta: consulMeta(pod.metadata.annotations),
    addresses,
    hostname: '',
    endpointName: endpointName(spec, diagnostics),
    node: textAt(spec, 'nodeName') ?? '',
    serviceAccount: textAt(spec, 'serviceAccountName') ?? 'default',
    hostNetwork,
    healthy: isReady(status) && textAt(objectAt(pod.body, 'metadata'), 'deletionTimestamp') === undefined,
    ...tunnel(pod, hostNetwork),
    ...podOwner(pod),
    namedPorts: namedPorts(spec),
    declaredPorts: undefined,
    network: labels[NETWORK] ?? '',
    locality: '',
    capacity: 1,
  });
}

const CONSUL_META = 'consul.hashicorp.com/service-meta-';

/** `consul.hashicorp.com/service-meta-version: v1` is the value v1 of `version`. */
function consulMeta(annotations: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const found = Object.entries(annotations).filter(([key]) => key.startsWith(CONSUL_META));
  return found.length === 0
    ? NO_META
    : Object.fromEntries(found.map(([key, value]) => [key.slice(CONSUL_META.length), value]));
}

const NO_META: Readonly<Record<string, string>> = Object.freeze({});

/** What is captured, or speaks HBONE itself. A host-network pod shares its node's address and is neither. */
export function tunnel(
  object: KubeObject,
  hostNetwork: boolean,
): Pick<WorkloadSpec, 'tunnelProtocol' | 'nativeTunnel'> {
  const { annotations, labels } = object.metadata;
  if (hostNetwork) return { tunnelProtocol: 'none', nativeTunnel: false };
  if (labels[TUNNEL] === 'http') return { tunnelProtocol: 'hbone', nativeTunnel: true };
  const isCaptured = annotations[REDIRECTION] === 'enabled';
  return { tunnelProtocol: isCaptured ? 'hbone' : 'none', nativeTunnel: false };
}

function podIps(status: JsonObject, diagnostics: Diagnostics): readonly string[] {
  const all = objectsAt(status, 'podIPs').flatMap(item => textAt(item, 'ip') ?? []);
  const one = textAt(status, 'podIP');
  const written = all.length > 0 ? all : one === undefined ? [] : [one];
  return written.flatMap((text, i) => {
    const ip = canonicalIp(text);
    if (ip !== undefined) return [ip];
    diagnostics.reject(`status.podIPs[${i}].ip`, text, 'is no IP address', 'use an IPv4 or IPv6 address');
    return [];
  });
}

/** As the cluster's endpoints have it: by both fields, whichever Service it is. A StatefulSet sets them. */
function endpointName(spec: JsonObject, diagnostics: Diagnostics): EndpointName | undefined {
  const hostname = dnsLabel(spec, 'hostname', 'spec.hostname', diagnostics);
  const service = dnsLabel(spec, 'subdomain', 'spec.subdomain', diagnostics);
  return hostname === undefined || service === undefined ? undefined : { hostname, service };
}

/** A pod without conditions has not been looked at yet. */
export function isReady(status: JsonObject): boolean {
  return objectsAt(status, 'conditions').some(
    condition => textAt(condition, 'type') === 'Ready' && textAt(condition, 'status') === 'True',
  );
}

function namedPorts(spec: JsonObject): ReadonlyMap<string, number> {
  return new Map(portsByName(spec));
}

/** Every port of that name: each container has names of its own. */
export function containerPorts(pod: KubeObject, name: string): readonly number[] {
  return portsByName(objectAt(pod.spec)).flatMap(([own, number]) => (own === name ? [number] : []));
}

function portsByName(spec: JsonObject): readonly (readonly [string, number])[] {
  return objectsAt(spec, 'containers')
    .flatMap(container => objectsAt(container, 'ports'))
    .flatMap(port => {
      const name = textAt(port, 'name');
      const number = numberAt(port, 'containerPort');
      if (name === undefined || number === undefined || number < 1 || number > 65_535) return [];
      return [[name, number] as const];
    });
}
