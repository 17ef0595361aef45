import type { RequestHead } from '#shared/http/exchange.ts';
import { type ConnectionPool, DEFAULT_POOL } from '#shared/route/traffic-policy.ts';
import type { AppProtocol } from '#shared/workload/workload.ts';
import type { PoolProtocol, UpstreamProtocol } from './endpoint-pools.ts';
import { type OriginatedTls, tlsTowards } from './originated-tls.ts';
import type { BalancedEndpoint } from '../balance/endpoint.ts';

/**
 * What to speak with an endpoint: what its port declares, else what the client speaks (as Istio's `useClientProtocol`),
 * since both ends were made for each other. An upgrade needs HTTP/1.1 unless the port says HTTP/2. A policy may say otherwise.
 */
export function chooseUpstreamProtocol(
  declared: AppProtocol | undefined,
  downstream: UpstreamProtocol,
  request: Pick<RequestHead, 'upgrade'>,
  policy: Pick<ConnectionPool, 'h2Upgrade' | 'useClientProtocol'> = DEFAULT_POOL,
): UpstreamProtocol {
  if (policy.useClientProtocol) return request.upgrade === undefined ? downstream : 'http1';
  if (policy.h2Upgrade === true && request.upgrade === undefined) return 'http2';
  switch (declared) {
    case 'http2':
    case 'grpc':
      return 'http2';
    case 'http11':
      return 'http1';
    case 'unknown':
    case 'tcp':
    case 'tls':
    case undefined:
      return request.upgrade === undefined ? downstream : 'http1';
  }
}

/**
 * The same where the waypoint may speak TLS: then the server says in the handshake what it speaks, unless the port or the
 * policy has said so, or the request could not be sent in one of the two.
 */
export function choosePoolProtocol(
  { policy, port, connection }: ProtocolFacts,
  endpoint: Pick<BalancedEndpoint, 'workload'>,
  downstream: UpstreamProtocol,
  request: Pick<RequestHead, 'upgrade'>,
  grpc: boolean,
): PoolProtocol {
  const declared = port?.appProtocol;
  const chosen = chooseUpstreamProtocol(declared, downstream, request, policy);
  if (tlsTowards(endpoint.workload, connection) === undefined) return chosen;
  const isSettled = policy.h2Upgrade !== undefined || policy.useClientProtocol;
  if (isSettled || request.upgrade !== undefined || declared === 'http2' || declared === 'grpc')
    return chosen;
  return grpc ? 'http2' : 'negotiated';
}

/** Of an upstream. */
export interface ProtocolFacts {
  readonly policy: Pick<ConnectionPool, 'h2Upgrade' | 'useClientProtocol'>;
  readonly port: { readonly appProtocol: AppProtocol } | undefined;
  readonly connection: { readonly tls: OriginatedTls | undefined };
}
