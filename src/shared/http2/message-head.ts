import type { RequestHead, ResponseHead } from '../http/exchange.ts';
import { FieldBuffer } from '../http/field-buffer.ts';
import { type HeaderList, truncate } from '../http/headers.ts';
import { asksForTunnel, isConnect } from '../http/tunnel.ts';

/** Between the flat fields of HTTP/2 and the heads that all protocol versions share; the fields have been checked. */

/** One for the thread: what is written into it is put on the wire before anything else is. */
const WRITTEN = new FieldBuffer();

export function readRequestHead(fields: readonly string[], endStream: boolean): RequestHead {
  let method = '';
  let scheme = '';
  let authority: string | undefined;
  let path = '';
  let upgrade: string | undefined;
  let at = 0;
  for (; fields[at]?.startsWith(':') === true; at += 2) {
    const value = fields[at + 1] ?? '';
    if (fields[at] === ':method') method = value;
    else if (fields[at] === ':scheme') scheme = value.toLowerCase();
    else if (fields[at] === ':authority') authority = value;
    else if (fields[at] === ':path') path = value;
    else if (fields[at] === ':protocol') upgrade = value;
  }
  const headers = readFields(fields, at);
  // The DATA of a CONNECT are a tunnel's, also where there will be none.
  const isTunnel = method === 'CONNECT';
  return {
    method,
    scheme,
    authority: authority ?? READ.host ?? '',
    path,
    headers,
    protocol: 'HTTP/2',
    upgrade,
    contentLength: isTunnel ? undefined : endStream ? 0 : READ.contentLength,
    expectContinue: READ.expectContinue && !endStream && !isTunnel,
  };
}

/** `isHead`: answer to a HEAD request, whose declared length has no body. */
export function readResponseHead(
  fields: readonly string[],
  endStream: boolean,
  isHead: boolean,
): ResponseHead {
  const status = Number(fields[1]);
  const headers = readFields(fields, 2);
  const isBodiless = isHead || status === 304;
  return { status, headers, contentLength: READ.contentLength ?? (endStream && !isBodiless ? 0 : undefined) };
}

/**
 * `upgrade` set: extended CONNECT, whatever method asked for the upgrade in HTTP/1.1.
 * @returns a list that the next head or trailers of the thread are written into
 */
export function writeRequestHead(head: RequestHead, endStream: boolean): readonly string[] {
  WRITTEN.clear();
  WRITTEN.add(':method', head.upgrade === undefined ? head.method : 'CONNECT');
  if (head.upgrade !== undefined) WRITTEN.add(':protocol', head.upgrade);
  if (!isConnect(head)) {
    WRITTEN.add(':scheme', head.scheme === '' ? 'http' : head.scheme);
    WRITTEN.add(':path', head.path === '' ? '/' : head.path);
  }
  WRITTEN.add(':authority', head.authority);
  if (!endStream && head.contentLength !== undefined && !asksForTunnel(head)) {
    WRITTEN.add('content-length', String(head.contentLength));
  }
  if (head.expectContinue && !endStream) WRITTEN.add('expect', '100-continue');
  writeRegular(head.headers);
  return WRITTEN.fields;
}

/** As `writeRequestHead`. `status` as it goes on the wire: 101 is 200 in answer to extended CONNECT. */
export function writeResponseHead(status: number, head: ResponseHead): readonly string[] {
  WRITTEN.clear();
  WRITTEN.add(':status', String(status));
  if (head.contentLength !== undefined && status >= 200 && status !== 204) {
    WRITTEN.add('content-length', String(head.contentLength));
  }
  writeRegular(head.headers);
  return WRITTEN.fields;
}

/** As `writeRequestHead`. */
export function writeTrailers(trailers: readonly string[]): readonly string[] {
  WRITTEN.clear();
  writeRegular(trailers);
  return WRITTEN.fields;
}

/** The fields that may stand in a message of HTTP/2 (RFC 9113 §8.2.2), whatever an HTTP/1 peer put there. */
function writeRegular(headers: readonly string[]): void {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    const value = headers[i + 1] ?? '';
    if (!isOwned(name) && (name !== 'te' || value.toLowerCase() === 'trailers')) WRITTEN.add(name, value);
  }
}

/** Written by the codec, or without meaning in HTTP/2. */
function isOwned(name: string): boolean {
  switch (name) {
    case 'connection':
    case 'content-length':
    case 'expect':
    case 'host':
    case 'keep-alive':
    case 'proxy-connection':
    case 'transfer-encoding':
    case 'upgrade':
      return true;
    default:
      return name.startsWith(':');
  }
}

class ReadFields {
  host: string | undefined = undefined;
  contentLength: number | undefined = undefined;
  expectContinue = false;
}

/** What the fields say of the message itself. One for the thread: a head is made of it at once. */
const READ = new ReadFields();

/** @returns the headers; the rest is in `READ` */
function readFields(fields: readonly string[], from: number): HeaderList {
  // As large as it must be; pseudo-header fields before them leave room for what a request is given: traceparent, grpc-timeout.
  const headers = fields.slice(Math.max(0, from - 4));
  let kept = 0;
  READ.host = READ.contentLength = undefined;
  READ.expectContinue = false;
  let cookieAt = -1;
  for (let i = from; i < fields.length; i += 2) {
    const name = fields[i] ?? '';
    const value = fields[i + 1] ?? '';
    if (name === 'host') READ.host = value;
    else if (name === 'content-length') READ.contentLength = Number(value);
    else if (name === 'expect') READ.expectContinue = value.toLowerCase() === '100-continue';
    else if (name === 'cookie' && cookieAt >= 0) {
      // Crumbs are joined before they can reach a context other than HTTP/2 (RFC 9113 §8.2.3).
      headers[cookieAt + 1] = `${headers[cookieAt + 1] ?? ''}; ${value}`;
    } else {
      if (name === 'cookie') cookieAt = kept;
      headers[kept++] = name;
      headers[kept++] = value;
    }
  }
  truncate(headers, kept);
  return headers;
}
