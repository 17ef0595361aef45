import { isIPv4 } from 'node:net';
import type { KubeObject } from './kube-object.ts';
import type { ServicePort, ServiceSpec } from './service-spec.ts';

/** What an endpoint controller needs of a running pod. */
export interface EndpointPod {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly nodeName: string;
  readonly ips: readonly string[];
  readonly ready: boolean;
  readonly namedPorts: Readonly<Record<string, number>>;
}

/** Label that tells slices made here from those a user has written. */
const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
const MANAGER = 'endpointslice-controller.k8s.io';

/**
 * A slice for each service with a selector, each address family that its pods have, and each way in which their ports
 * are numbered: pods may give the name that a service aims at to different ports.
 */
export function endpointSlices(services: readonly ServiceSpec[], pods: readonly EndpointPod[]): KubeObject[] {
  return services.flatMap(service => {
    if (Object.keys(service.selector).length === 0) return [];
    const selected = selectedPods(service, pods);
    return (['IPv4', 'IPv6'] as const).flatMap(family => {
      const alike = Map.groupBy(selected, pod => JSON.stringify(slicePorts(service, pod)));
      const filled = [...alike.values()].flatMap(group => {
        const endpoints = group.flatMap(pod => endpoint(pod, family));
        const [first] = group;
        return first === undefined || endpoints.length === 0 ? [] : [{ endpoints, first }];
      });
      return filled.map(({ endpoints, first }, index) =>
        slice(service, family, index, endpoints, slicePorts(service, first)),
      );
    });
  });
}

/** Undefined: the pod has no port of that name, and is no endpoint for this port of the service. */
export function targetPortOf({ targetPort }: ServicePort, pod: EndpointPod): number | undefined {
  return typeof targetPort === 'number' ? targetPort : pod.namedPorts[targetPort];
}

function slicePorts(service: ServiceSpec, pod: EndpointPod): object[] {
  return service.ports.flatMap(port => {
    const number = targetPortOf(port, pod);
    const { name, protocol, appProtocol } = port;
    if (number === undefined) return [];
    return [{ name, port: number, protocol, ...(appProtocol === undefined ? {} : { appProtocol }) }];
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

function slice(
  { name: service, namespace }: ServiceSpec,
  family: 'IPv4' | 'IPv6',
  index: number,
  endpoints: readonly object[],
  ports: readonly object[],
): KubeObject {
  const name = [service, ...(index === 0 ? [] : [index + 1]), 'playground', family.toLowerCase()].join('-');
  const labels = { 'kubernetes.io/service-name': service, [MANAGED_BY]: MANAGER };
  const apiVersion = 'discovery.k8s.io/v1';
  const kind = 'EndpointSlice';
  const metadata = { name, namespace, labels };
  const body = { apiVersion, kind, metadata, addressType: family, endpoints, ports };
  return { apiVersion, kind, name, namespace, body };
}
