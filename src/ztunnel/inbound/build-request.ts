import type { SocketEndpoint } from '#shared/engine/channel.ts';
import type { RefusalStatus } from '#shared/hbone/inbound-connect.ts';
import { targetPort } from '#shared/workload/endpoint-choice.ts';
import { formatHostPort, isIpv6 } from '#shared/workload/ip.ts';
import type { MeshView } from '#shared/workload/mesh-view.ts';
import { gatewayTarget } from '#shared/workload/waypoint.ts';
import {
  isPod,
  serviceName,
  workloadIdentity,
  type GatewayAddress,
  type Service,
  type Workload,
} from '#shared/workload/workload.ts';
import { PROXY_PORTS } from '../ports.ts';

/** A CONNECT request that arrived at a local workload. */
export interface InboundQuery {
  /** The workload whose certificate the peer saw. */
  readonly local: Workload;
  /** Its addresses, as the node knows them. */
  readonly localIps: readonly string[];
  /** The CONNECT's authority: canonical IP text, or a host name in lower case. */
  readonly host: string;
  readonly port: number;
  /** SPIFFE id that the peer proved. */
  readonly peerIdentity: string;
  readonly remoteIp: string;
  /** What the peer says the original source address is. */
  readonly forwardedIp: string | undefined;
}

export type InboundRequest =
  | {
      readonly ok: true;
      /** The application. */
      readonly target: SocketEndpoint;
      /** Where the connection really comes from: what the application sees, and what policies compare. */
      readonly sourceIp: string;
      /** Undefined when nobody in the mesh has that address. */
      readonly source: Workload | undefined;
      /** The service that was asked for, where one was. */
      readonly service: Service | undefined;
    }
  | { readonly ok: false; readonly status: RefusalStatus; readonly reason: string };

/** Whether a CONNECT is for this workload, and for which port of it. Policy comes after. Pure. */
export function buildInboundRequest(view: MeshView, query: InboundQuery): InboundRequest {
  const { local, localIps, host, port } = query;
  const isOwnAddress = localIps.includes(host);
  const behind = isOwnAddress ? undefined : behindService(view, query);
  const target = isOwnAddress ? { ip: host, port } : behind?.target;
  if (target === undefined) {
    const asked = formatHostPort(host, port);
    return refuse(
      400,
      `${asked} is not ${local.namespace}/${local.name} (${localIps.join(', ')}) or a service of it`,
    );
  }
  // A tunnel to the proxy's own ports would come back here for ever.
  if (PROXY_PORTS.has(target.port)) return refuse(400, `port ${target.port} is the mesh's own`);
  const sourceIp = speaksForOthers(view, local, query)
    ? (query.forwardedIp ?? query.remoteIp)
    : query.remoteIp;
  const source = view.workloadByAddress(local.network, sourceIp);
  return { ok: true, target, sourceIp, source, service: behind?.service };
}

interface BehindService {
  readonly service: Service;
  readonly target: SocketEndpoint;
}

/**
 * Of the services that `host` names one that the workload is an endpoint of, and that has the port: several may share an
 * address, or a name in several namespaces. Of these the one of the workload's own namespace, then the first by name.
 */
function behindService(view: MeshView, query: InboundQuery): BehindService | undefined {
  const { host, local, localIps } = query;
  const ip = localIps.find(own => isIpv6(own) === isIpv6(host)) ?? localIps[0];
  if (ip === undefined) return undefined;
  let found: BehindService | undefined;
  for (const [name, ports] of local.services) {
    const service = view.service(name);
    if (service === undefined || !isNamed(view, service, local.network, host)) continue;
    if (found !== undefined && !isBefore(service, found.service, local.namespace)) continue;
    const port = targetPort(ports, service, query.port);
    if (port !== undefined) found = { service, target: { ip, port } };
  }
  return found;
}

function isNamed(view: MeshView, service: Service, network: string, host: string): boolean {
  if (service.hostname === host) return true;
  const isItsAddress = service.addresses.some(
    one => one.ip === host && one.network === network && one.prefixLength === undefined,
  );
  return isItsAddress || view.serviceByAddress(network, host) === service;
}

function isBefore(a: Service, b: Service, preferred: string): boolean {
  const [isOwn, isOther] = [a.namespace === preferred, b.namespace === preferred];
  return isOwn === isOther ? serviceName(a) < serviceName(b) : isOwn;
}

/**
 * Whether the peer may say where the connection originally came from: a waypoint of this workload or of its services,
 * or the very pod that has the address it names. Anybody else could borrow a stranger's address, as could who writes it
 * into a WorkloadEntry.
 */
function speaksForOthers(view: MeshView, local: Workload, query: InboundQuery): boolean {
  const { forwardedIp, peerIdentity } = query;
  if (forwardedIp === undefined || forwardedIp === query.remoteIp) return false;
  const owner = view.workloadByAddress(local.network, forwardedIp);
  if (owner !== undefined && isPod(owner) && workloadIdentity(owner) === peerIdentity) return true;
  if (isIdentityOf(view, local.waypoint, peerIdentity)) return true;
  for (const name of local.services.keys()) {
    const service = view.service(name);
    if (service === undefined) continue;
    if (isIdentityOf(view, service.waypoint, peerIdentity)) return true;
    if (service.weightedWaypoints.some(w => isIdentityOf(view, w.destination, peerIdentity))) return true;
  }
  return false;
}

function isIdentityOf(view: MeshView, gateway: GatewayAddress | undefined, identity: string): boolean {
  if (gateway === undefined) return false;
  const target = gatewayTarget(view, gateway);
  if (target === undefined) return false;
  if (target.kind === 'workload') return workloadIdentity(target.workload) === identity;
  if (target.service.subjectAltNames.includes(identity)) return true;
  return view.endpoints(serviceName(target.service)).some(e => workloadIdentity(e.workload) === identity);
}

function refuse(status: RefusalStatus, reason: string): InboundRequest {
  return { ok: false, status, reason };
}
