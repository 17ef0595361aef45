import { createHash, randomBytes } from 'node:crypto';
import type { RequestHead, ResponseHead } from '#shared/http/exchange.ts';
import { getHeader, removeHeader, setHeader } from '#shared/http/headers.ts';

/** RFC 6455 §1.3. */
const ACCEPT_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Extended CONNECT of HTTP/2 (RFC 8441) as the upgrade an HTTP/1.1 server knows. */
export function asHttp1Upgrade(head: RequestHead): RequestHead {
  const headers = [...head.headers];
  if (head.upgrade === 'websocket')
    setHeader(headers, 'sec-websocket-key', randomBytes(16).toString('base64'));
  return {
    method: 'GET',
    scheme: head.scheme,
    authority: head.authority,
    path: head.path,
    headers,
    protocol: 'HTTP/1.1',
    upgrade: head.upgrade,
    contentLength: undefined,
    expectContinue: false,
  };
}

/**
 * Makes a response that switches protocols fit the client's version: HTTP/2 has no `sec-websocket-accept`, and a client
 * of HTTP/1.1 whose upstream speaks HTTP/2 gets it from us.
 */
export function adaptSwitch(request: RequestHead, response: ResponseHead): void {
  if (response.status !== 101) return;
  if (request.method === 'CONNECT') {
    removeHeader(response.headers, 'sec-websocket-accept');
    return;
  }
  const key = getHeader(request.headers, 'sec-websocket-key');
  if (key === undefined || getHeader(response.headers, 'sec-websocket-accept') !== undefined) return;
  const accept = createHash('sha1')
    .update(key + ACCEPT_GUID)
    .digest('base64');
  setHeader(response.headers, 'sec-websocket-accept', accept);
}
