import type { RequestHead } from '#shared/http/exchange.ts';
import { getHeader } from '#shared/http/headers.ts';
import type { FailureResponse } from './error-response.ts';
import type { FilterResponse } from '../filters/filter-response.ts';

/** gRPC is always a POST over HTTP/2; its web dialects are ordinary requests. */
export function isGrpc(request: RequestHead): boolean {
  if (request.protocol !== 'HTTP/2' || request.method !== 'POST') return false;
  const type = getHeader(request.headers, 'content-type') ?? '';
  return (
    type === 'application/grpc' ||
    type.startsWith('application/grpc+') ||
    type.startsWith('application/grpc;')
  );
}

/**
 * The response to a request the waypoint itself ends. A gRPC client gets trailers only: the one form in which it finds a
 * status (gRPC over HTTP/2, "Responses").
 */
export function failureAnswer({ status, grpcStatus, body }: FailureResponse, grpc: boolean): FilterResponse {
  if (grpc) {
    const headers = [
      'content-type',
      'application/grpc',
      'grpc-status',
      String(grpcStatus),
      'grpc-message',
      body,
    ];
    return { head: { status: 200, headers, contentLength: undefined }, body: '' };
  }
  const text = `${body}\n`;
  return {
    head: { status, headers: ['content-type', 'text/plain'], contentLength: text.length },
    body: text,
  };
}
