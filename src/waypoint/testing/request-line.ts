import { requestHead } from '#shared/testing/request-head.ts';
import { service, workload } from '#shared/testing/topology.ts';
import type { RequestLine } from '../telemetry/request-log.ts';

/** A request from orders to payments that was answered at the first try. */
export function requestLine(over: Partial<RequestLine> = {}): RequestLine {
  return {
    peers: {
      source: workload('orders-0', { addresses: ['10.0.0.1'] }),
      sourceIdentity: 'spiffe://cluster.local/ns/default/sa/orders-0',
    },
    sourceAddress: '10.0.0.1:40000',
    request: requestHead({ authority: 'payments' }),
    service: service('payments'),
    endpoint: workload('payments-0', { addresses: ['10.0.0.2'] }),
    endpointPort: 8080,
    endpointAddress: '10.0.0.2:8080',
    route: '',
    attempts: 1,
    status: 200,
    flags: '-',
    detail: undefined,
    grpcStatus: '',
    requestBytes: 0,
    responseBytes: 0,
    durationMs: 1,
    upstreamMs: 1,
    ...over,
  };
}
