import { ExchangeError, type RequestHead } from '../http/exchange.ts';
import type { BodyEncoder } from './body-encoder.ts';
import { beginHead, endHead, putField, putFields, putText, putWord } from './head-writer.ts';
import { isAuthority } from './request-target.ts';

/** The last authority that was found well-formed: most requests of a thread repeat it. */
let checkedAuthority = '';

/**
 * Renders a request head and starts the encoder for its body.
 * @returns the bytes, valid until the next head is rendered
 * @throws ExchangeError when method, target or a field cannot be sent
 */
export function renderRequest(head: RequestHead, endStream: boolean, encoder: BodyEncoder): Buffer {
  const { method } = head;
  const connect = method === 'CONNECT';
  if (head.authority !== checkedAuthority) {
    // HTTP/2 and route filters allow more in an authority than Host may hold.
    if (!isAuthority(head.authority))
      throw new ExchangeError('protocol_error', 'authority is not fit for Host');
    checkedAuthority = head.authority;
  }
  beginHead();
  putWord(method);
  putText(' ');
  putWord(connect ? head.authority : requestTarget(head.path));
  putText(' HTTP/1.1\r\n');
  putField('host', head.authority);
  putFields(head.headers);
  if (head.upgrade !== undefined && !connect) {
    putText('connection: upgrade\r\n');
    putField('upgrade', head.upgrade);
    encoder.startNone();
  } else if (connect) {
    encoder.startNone();
  } else {
    putFraming(method, endStream ? 0 : head.contentLength, encoder);
    if (head.expectContinue && !endStream) putText('expect: 100-continue\r\n');
  }
  putText('\r\n');
  return endHead();
}

function putFraming(method: string, contentLength: number | undefined, encoder: BodyEncoder): void {
  if (contentLength === undefined) {
    putText('transfer-encoding: chunked\r\n');
    encoder.startChunked();
    return;
  }
  encoder.startLength(contentLength);
  // RFC 9110 §8.6: a method that expects a body says 0 when it has none.
  if (contentLength === 0 && method !== 'POST' && method !== 'PUT' && method !== 'PATCH') return;
  putText('content-length: ');
  putText(String(contentLength));
  putText('\r\n');
}

function requestTarget(path: string): string {
  return path === '' ? '/' : path;
}
