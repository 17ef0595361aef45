import type { RequestHead } from '#shared/http/exchange.ts';

export type JudgedRequest = Pick<RequestHead, 'method' | 'scheme' | 'path' | 'authority' | 'headers'>;

/** An extended CONNECT is the GET it would be over HTTP/1.1, and that an upstream may get and answer as such (RFC 8441). */
export function judgedRequest(request: RequestHead): JudgedRequest {
  if (request.method !== 'CONNECT') return request;
  const { scheme, path, authority, headers } = request;
  return { method: 'GET', scheme, path, authority, headers };
}
