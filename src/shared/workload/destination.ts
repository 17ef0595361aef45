import type { MeshView } from './mesh-view.ts';
import { isPod, type Service, type Workload } from './workload.ts';

/** What an address or name means to a workload of the mesh. */
export type Destination =
  | { readonly kind: 'service'; readonly service: Service }
  | { readonly kind: 'workload'; readonly workload: Workload }
  | { readonly kind: 'unknown' };

const UNKNOWN: Destination = Object.freeze({ kind: 'unknown' });

/** Which of several services of one name or address is meant. */
export interface LookupScope {
  /** Its own go before others. */
  readonly namespace: string;
  /** Only those that this namespace knows; undefined: whatever there is. */
  readonly knownIn: string | undefined;
}

/** As workloads of a namespace mean it. */
export function inNamespace(namespace: string): LookupScope {
  return { namespace, knownIn: namespace };
}

/** As `findAddress`, for a workload. */
export function resolveAddress(view: MeshView, { namespace, network }: Workload, ip: string): Destination {
  return findAddress(view, network, ip, inNamespace(namespace));
}

/**
 * By address: a service's VIP, then a pod's address, else outside the mesh. `ip` is canonical text. An entry of another
 * namespace does not get what is dialled to a pod: its addresses and ranges are what somebody wrote.
 */
export function findAddress(
  view: MeshView,
  network: string,
  ip: string,
  { knownIn, namespace }: LookupScope,
): Destination {
  const service = view.serviceByAddress(network, ip, knownIn);
  if (service?.canonical === true || service?.namespace === namespace) return { kind: 'service', service };
  const workload = view.workloadByAddress(network, ip);
  if (service !== undefined && (workload === undefined || !isPod(workload)))
    return { kind: 'service', service };
  return workload === undefined ? UNKNOWN : { kind: 'workload', workload };
}

/**
 * By name, as a resolver in the source's pod would find it: the name itself, then with each search domain of
 * Kubernetes (`<ns>.svc.<domain>`, `svc.<domain>`, `<domain>`); then the nearest wildcard it is under.
 */
export function resolveHostname(
  view: MeshView,
  source: Workload,
  hostname: string,
  clusterDomain: string,
): Destination {
  const name = hostname.toLowerCase().replace(/\.$/, '');
  const searches = [
    '',
    `.${source.namespace}.svc.${clusterDomain}`,
    `.svc.${clusterDomain}`,
    `.${clusterDomain}`,
  ];
  let foreign: Service | undefined;
  for (const suffix of searches) {
    const service = view.serviceByHostname(name + suffix, source.namespace, source.namespace);
    if (service?.canonical === true || service?.namespace === source.namespace)
      return { kind: 'service', service };
    foreign ??= service;
  }
  // An entry of another namespace may be named as Services are for short.
  if (foreign !== undefined) return { kind: 'service', service: foreign };
  const service = findFullName(view, name, inNamespace(source.namespace));
  return service === undefined ? UNKNOWN : { kind: 'service', service };
}

/** By a whole name, in lower case and without final dot: whoever is named so, else the nearest wildcard it is under. */
export function findFullName(
  view: MeshView,
  name: string,
  { knownIn, namespace }: LookupScope,
): Service | undefined {
  return view.serviceByHostname(name, namespace, knownIn) ?? view.serviceByWildcard(name, namespace, knownIn);
}
