import { findFullName, inNamespace, resolveHostname } from '#shared/workload/destination.ts';
import { isIpv6 } from '#shared/workload/ip.ts';
import type { MeshView } from '#shared/workload/mesh-view.ts';
import { type Service, serviceName, type Workload } from '#shared/workload/workload.ts';
import { ofType, type KnownAnswer } from './answer.ts';
import { endpointAddresses, findEndpointName, readyEndpoints } from './endpoint-name.ts';
import type { Question } from './query.ts';
import { CLASS_IN, RecordType } from './record-type.ts';

export type Resolution =
  | ({ readonly kind: 'known' } & KnownAnswer)
  /** Nobody has the name. */
  | { readonly kind: 'nobody' }
  /** The name server that the client asked knows better; `reason` is for people. */
  | { readonly kind: 'forward'; readonly reason: string };

/**
 * Types that a name of the mesh is answered for: addresses, and records whose hints of addresses would lead past those
 * (RFC 9460 §7.3), of which it has none.
 */
const ANSWERED: ReadonlySet<number> = new Set<number>([
  RecordType.a,
  RecordType.aaaa,
  RecordType.svcb,
  RecordType.https,
]);

export interface ResolveOptions {
  readonly clusterDomain: string;
  /** In [0, 1): by it endpoints take turns in coming first. */
  readonly random: () => number;
  /** Whether the mesh hears of what changes. Of what is new it may not know otherwise. */
  readonly isCurrent: () => boolean;
}

/** What a pod of the mesh is told. Pure, but for the options. */
export function resolveQuestion(
  view: MeshView,
  source: Workload,
  question: Question,
  { clusterDomain, isCurrent, random }: ResolveOptions,
): Resolution {
  const { name, type } = question;
  if (name === undefined || name === '' || question.class !== CLASS_IN) return forward('no name of a host');
  if (!ANSWERED.has(type)) return forward('a type that is not answered here');
  const found = find(view, source, name, clusterDomain);
  const endpoint = found?.service.hostname === name ? undefined : findEndpointName(view, source, name);
  if (endpoint?.kind === 'endpoints') {
    const ips = rotated(endpoint.ips, random());
    return { kind: 'known', alias: undefined, ips: reachable(ofType(ips, type), source) };
  }
  if (found === undefined) {
    if (endpoint === undefined) return forward('not known here');
    return isCurrent()
      ? { kind: 'nobody' }
      : forward('no endpoint as far as is known without the controller');
  }
  const ips = addressesOf(view, source, found.service, random);
  if (ips === undefined) return forward(`${serviceName(found.service)} has no addresses of the mesh`);
  return { kind: 'known', alias: found.alias, ips: reachable(ofType(ips, type), source) };
}

interface Found {
  readonly service: Service;
  readonly alias: string | undefined;
}

/**
 * By the name, else by what is left of it without the search domain of Kubernetes that it ends with: a client asks for those
 * first, and would take the "no such name" of the cluster's name server for each. Without the longest alone: what a shorter
 * one leaves is made of a domain, and was never asked for.
 */
function find(view: MeshView, source: Workload, name: string, clusterDomain: string): Found | undefined {
  const domain = [`.${source.namespace}.svc`, '.svc', '']
    .map(prefix => `${prefix}.${clusterDomain}`)
    .find(end => name.length > end.length && name.endsWith(end));
  for (const whole of domain === undefined ? [name] : [name, name.slice(0, -domain.length)]) {
    const service = findFullName(view, whole, inNamespace(source.namespace));
    if (service !== undefined && isTold(view, source, service, { asked: name, whole, clusterDomain }))
      return { service, alias: whole === name ? undefined : whole };
  }
  return undefined;
}

interface Names {
  readonly asked: string;
  /** Without the search domain. */
  readonly whole: string;
  readonly clusterDomain: string;
}

/**
 * Whether whoever has the name may take it from whom the cluster's name server would tell. An entry of a namespace is for that
 * namespace to believe. Others are not told of it by a name that the cluster may have given to somebody whom the mesh does
 * not know (a pod of a StatefulSet, an alias), unless it is of the entry's own namespace, nor by one that is a Service's for
 * short. A client comes to the entry, or the Service, by its next search domain.
 */
function isTold(
  view: MeshView,
  source: Workload,
  service: Service,
  { asked, whole, clusterDomain }: Names,
): boolean {
  if (service.canonical || service.namespace === source.namespace) return true;
  if (whole.endsWith(`.${service.namespace}.svc.${clusterDomain}`)) return true;
  if (isOfCluster(whole, clusterDomain) || mayBeOfCluster(asked, clusterDomain)) return false;
  const short = resolveHostname(view, source, whole, clusterDomain);
  return short.kind === 'service' && short.service === service;
}

function isOfCluster(name: string, clusterDomain: string): boolean {
  return ['svc', 'pod'].some(kind => name.endsWith(`.${kind}.${clusterDomain}`));
}

/** A Service and its namespace, a pod before them, or an address and its namespace: no name with an address is longer. */
function mayBeOfCluster(name: string, clusterDomain: string): boolean {
  if (!isOfCluster(name, clusterDomain)) return false;
  const labels = name.slice(0, -`.svc.${clusterDomain}`.length).split('.').length;
  return labels === 2 || labels === 3;
}

/** Undefined: whoever asks is told elsewhere. */
function addressesOf(
  view: MeshView,
  source: Workload,
  service: Service,
  random: () => number,
): readonly string[] | undefined {
  // It is reached where DNS says it is, and nowhere else.
  if (service.loadBalancing?.mode === 'passthrough') return undefined;
  const own = service.addresses
    .filter(({ network, prefixLength }) => network === source.network && prefixLength === undefined)
    .map(({ ip }) => ip);
  if (own.length > 0) return own;
  // Only a Service can be headless; a ServiceEntry without addresses has nothing to say.
  if (!service.canonical || service.addresses.length > 0) return undefined;
  const ready = readyEndpoints(view, source, service);
  return ready.length === 0 ? undefined : rotated(endpointAddresses(service, ready), random());
}

/** Many clients take the first. */
function rotated(ips: readonly string[], random: number): readonly string[] {
  const first = Math.floor(random * ips.length);
  return [...ips.slice(first), ...ips.slice(0, first)];
}

/** A pod without an address of a family has no way to any: a VIP of both would only cost it a try that fails. */
function reachable(ips: readonly string[], source: Workload): readonly string[] {
  if (source.addresses.length === 0) return ips;
  return ips.filter(ip => source.addresses.some(own => isIpv6(own) === isIpv6(ip)));
}

function forward(reason: string): Resolution {
  return { kind: 'forward', reason };
}
