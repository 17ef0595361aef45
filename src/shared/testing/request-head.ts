import type { RequestHead } from '../http/exchange.ts';

/** `GET /` of HTTP/1.1 without headers and body, but for what is given. */
export function requestHead(fields: Partial<RequestHead> = {}): RequestHead {
  return {
    method: 'GET',
    scheme: 'http',
    authority: 'a',
    path: '/',
    headers: [],
    protocol: 'HTTP/1.1',
    upgrade: undefined,
    contentLength: 0,
    expectContinue: false,
    ...fields,
  };
}
