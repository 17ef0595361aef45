import type { RequestHead } from '#shared/http/exchange.ts';
import { isConnect } from '#shared/http/tunnel.ts';

export type JudgedRequest = Pick<RequestHead, 'method' | 'scheme' | 'path' | 'authority' | 'headers'>;

/**
 * An extended CONNECT is the GET it would be over HTTP/1.1, and that an upstream may get and answer as such (RFC 8441). The
 * host of another CONNECT is judged without the dot of the root, with which it is the same name for the proxy it goes to.
 */
export function judgedRequest(request: RequestHead): JudgedRequest {
  if (request.method !== 'CONNECT') return request;
  const { method, scheme, path, authority, headers } = request;
  if (!isConnect(request)) return { method: 'GET', scheme, path, authority, headers };
  return { method, scheme, path, authority: authority.replace(/\.:/, ':'), headers };
}
