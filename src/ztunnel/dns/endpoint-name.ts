import { isIpv6 } from '#shared/workload/ip.ts';
import type { Endpoint, MeshView } from '#shared/workload/mesh-view.ts';
import { type Service, serviceName, type Workload } from '#shared/workload/workload.ts';

/** A name that may be an endpoint's: one label before the name of a Service of the cluster. */
export type EndpointName =
  | { readonly kind: 'endpoints'; readonly ips: readonly string[] }
  /** Every endpoint of the Service is known by name, and none that takes connections has this one. */
  | { readonly kind: 'nobody' };

/**
 * Undefined: the mesh cannot know. As the cluster's name server has it, also for Services that are not headless. An endpoint
 * without a name has one made of its address there, or of its pod's name: then somebody else has to say whose it is.
 */
export function findEndpointName(view: MeshView, source: Workload, name: string): EndpointName | undefined {
  const dot = name.indexOf('.');
  // `_tcp` and its like come before ports.
  if (dot <= 0 || name.startsWith('_')) return undefined;
  const service = view.serviceByHostname(name.slice(dot + 1), source.namespace, source.namespace);
  if (service?.canonical !== true) return undefined;
  const called = readyEndpoints(view, source, service).filter(({ workload }) => workload.dnsName === name);
  if (called.length > 0) return { kind: 'endpoints', ips: endpointAddresses(service, called) };
  const all = view.endpoints(serviceName(service));
  const areKnown = all.every(
    ({ workload }) => workload.network === source.network && isNamedBy(service, workload),
  );
  return areKnown && all.length > 0 ? { kind: 'nobody' } : undefined;
}

function isNamedBy({ hostname }: Service, { dnsName }: Workload): boolean {
  return dnsName.slice(dnsName.indexOf('.') + 1) === hostname;
}

/** Those that the Service publishes. */
export function readyEndpoints(view: MeshView, source: Workload, service: Service): readonly Endpoint[] {
  const takesAll = service.loadBalancing?.healthPolicy === 'allow_all';
  return view
    .endpoints(serviceName(service))
    .filter(({ workload }) => workload.network === source.network)
    .filter(({ workload }) => takesAll || workload.status === 'healthy');
}

/** Of the families that the Service is of: pods may have others. */
export function endpointAddresses(
  { ipFamilies }: Service,
  endpoints: readonly Endpoint[],
): readonly string[] {
  const ips = new Set(endpoints.flatMap(({ workload }) => workload.addresses));
  if (ipFamilies === 'ipv4_only') return [...ips].filter(ip => !isIpv6(ip));
  return ipFamilies === 'ipv6_only' ? [...ips].filter(isIpv6) : [...ips];
}
