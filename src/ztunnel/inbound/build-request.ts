import type { SocketEndpoint } from '#shared/engine/channel.ts';
import type { RefusalStatus } from '#shared/hbone/inbound-connect.ts';
import { targetPort } from '#shared/workload/endpoint-choice.ts';
import { formatHostPort, isIpv6 } from '#shared/workload/ip.ts';
import type { MeshView } from '#shared/workload/mesh-view.ts';
import { gatewayTarget } from '#shared/workload/waypoint.ts';
import {
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
  const service = localIps.includes(host) ? undefined : serviceOf(view, local, host);
  const target = service === undefined ? { ip: host, port } : behindService(query, service);
  if (target === undefined || (service === undefined && !localIps.includes(host))) {
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
  return { ok: true, target, sourceIp, source, service };
}

/** The service that `host` names, if the workload is an endpoint of it. */
function serviceOf(view: MeshView, local: Workload, host: string): Service | undefined {
  const service = view.serviceByAddress(local.network, host) ?? view.serviceByHostname(host, local.namespace);
  return service !== undefined && local.services.has(serviceName(service)) ? service : undefined;
}

function behindService(query: InboundQuery, service: Service): SocketEndpoint | undefined {
  const { local, localIps, host } = query;
  const port = targetPort(local.services.get(serviceName(service)) ?? [], service, query.port);
  const ip = localIps.find(own => isIpv6(own) === isIpv6(host)) ?? localIps[0];
  return port === undefined || ip === undefined ? undefined : { ip, port };
}

/**
 * Whether the peer may say where the connection originally came from: a waypoint of this workload or of its services,
 * or the very workload that has the address it names. Anybody else could borrow a stranger's address.
 */
function speaksForOthers(view: MeshView, local: Workload, query: InboundQuery): boolean {
  const { forwardedIp, peerIdentity } = query;
  if (forwardedIp === undefined || forwardedIp === query.remoteIp) return false;
  const owner = view.workloadByAddress(local.network, forwardedIp);
  if (owner !== undefined && workloadIdentity(owner) === peerIdentity) return true;
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
