import { isIPv4 } from 'node:net';
import type { KubeObject } from './kube-object.ts';
import type { ServiceSpec } from './service-spec.ts';

/** What an endpoint controller needs of a running pod. */
export interface EndpointPod {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly nodeName: string;
  readonly ips: readonly string[];
  readonly ready: boolean;
}

/** Label that tells slices made here from those a user has written. */
const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
const MANAGER = 'endpointslice-controller.k8s.io';

/** One slice for each service with a selector and each address family that its pods have. */
export function endpointSlices(services: readonly ServiceSpec[], pods: readonly EndpointPod[]): KubeObject[] {
  return services.flatMap(service => {
    if (Object.keys(service.selector).length === 0) return [];
    const selected = selectedPods(service, pods);
    return (['IPv4', 'IPv6'] as const).flatMap(family => {
      const endpoints = selected.flatMap(pod => endpoint(pod, family));
      return endpoints.length === 0 ? [] : [slice(service, family, endpoints)];
    });
  });
}

export function isManagedSlice(object: KubeObject): boolean {
  return object.name.endsWith('-playground-ipv4') || object.name.endsWith('-playground-ipv6');
}

export function selectedPods(service: ServiceSpec, pods: readonly EndpointPod[]): EndpointPod[] {
  const wanted = Object.entries(service.selector);
  return pods.filter(
    pod => pod.namespace === service.namespace && wanted.every(([key, value]) => pod.labels[key] === value),
  );
}

function endpoint(pod: EndpointPod, family: 'IPv4' | 'IPv6'): object[] {
  const addresses = pod.ips.filter(ip => isIPv4(ip) === (family === 'IPv4'));
  if (addresses.length === 0) return [];
  return [
    {
      addresses,
      conditions: { ready: pod.ready, serving: pod.ready, terminating: false },
      nodeName: pod.nodeName,
      targetRef: { kind: 'Pod', name: pod.name, namespace: pod.namespace },
    },
  ];
}

function slice(service: ServiceSpec, family: 'IPv4' | 'IPv6', endpoints: readonly object[]): KubeObject {
  const name = `${service.name}-playground-${family.toLowerCase()}`;
  const { namespace } = service;
  const labels = { 'kubernetes.io/service-name': service.name, [MANAGED_BY]: MANAGER };
  const ports = service.ports.map(({ name: port, targetPort, protocol, appProtocol }) => ({
    name: port,
    port: targetPort,
    protocol,
    ...(appProtocol === undefined ? {} : { appProtocol }),
  }));
  const apiVersion = 'discovery.k8s.io/v1';
  const kind = 'EndpointSlice';
  const body = {
    apiVersion,
    kind,
    metadata: { name, namespace, labels },
    addressType: family,
    endpoints,
    ports,
  };
  return { apiVersion, kind, name, namespace, body };
}
