import { type AdminResponse, type AdminRoute, json, text } from '../observability/admin-server.ts';
import type { MeshView } from '../workload/mesh-view.ts';
import { workloadIdentity, type Workload } from '../workload/workload.ts';
import { type AuthzQuery, checkAuthorization } from './check.ts';

/**
 * `GET /authz/check?workload=<uid>|service=<ns>/<hostname>&source=<SPIFFE id or workload uid>&sourceIp=&port=&sni=&method=&path=&host=`:
 * what this proxy would decide now, and why. Without `source` the traffic is plaintext, without `sni` no TLS of the client's own.
 */
export function authzCheckRoute(view: () => MeshView): AdminRoute {
  return {
    method: 'GET',
    path: '/authz/check',
    help: 'would this be allowed? ?workload= or ?service=, &source= &port= &sni= &method= &path=',
    handle: ({ query }) => answer(view(), query),
  };
}

function answer(view: MeshView, parameters: URLSearchParams): AdminResponse {
  const query = parseQuery(view, parameters);
  return typeof query === 'string' ? text(`${query}\n`, 404) : json(checkAuthorization(view, query));
}

function parseQuery(view: MeshView, parameters: URLSearchParams): AuthzQuery | string {
  const destination = parseDestination(view, parameters);
  if (typeof destination === 'string') return destination;
  const source = parameters.get('source') ?? '';
  const peer = source === '' || source.startsWith('spiffe://') ? undefined : view.workload(source);
  if (source !== '' && peer === undefined && !source.startsWith('spiffe://')) {
    return `source ${JSON.stringify(source)} is neither a SPIFFE id nor the uid of a workload this proxy knows`;
  }
  const port = Number(parameters.get('port') ?? '0');
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    return `port ${parameters.get('port')} is not a port`;
  const method = parameters.get('method');
  return {
    destination,
    sourceIdentity: peer === undefined ? source || undefined : identityOf(peer),
    sourceIp: parameters.get('sourceIp') ?? peer?.addresses[0] ?? '',
    port,
    serverName: parameters.get('sni')?.toLowerCase() ?? '',
    request:
      method === null
        ? undefined
        : {
            method,
            authority: parameters.get('host') ?? '',
            path: parameters.get('path') ?? (method === 'CONNECT' ? '' : '/'),
            headers: [],
          },
  };
}

/** A workload outside the mesh has a service account, but nothing to prove it with. */
function identityOf(peer: Workload): string | undefined {
  return peer.tunnelProtocol === 'none' ? undefined : workloadIdentity(peer);
}

function parseDestination(view: MeshView, parameters: URLSearchParams): AuthzQuery['destination'] | string {
  const uid = parameters.get('workload');
  if (uid !== null) {
    const workload = view.workload(uid);
    return workload === undefined
      ? `workload ${JSON.stringify(uid)} is not known to this proxy`
      : { workload };
  }
  const name = parameters.get('service') ?? '';
  const service = view.service(name);
  return service === undefined ? `service ${JSON.stringify(name)} is not known to this proxy` : { service };
}
