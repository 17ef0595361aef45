import type { RequestHead } from '#shared/http/exchange.ts';
import { type ConnectionPool, DEFAULT_POOL } from '#shared/route/traffic-policy.ts';
import type { AppProtocol } from '#shared/workload/workload.ts';
import type { UpstreamProtocol } from './endpoint-pools.ts';

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
