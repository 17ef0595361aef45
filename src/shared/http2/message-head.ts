import type { RequestHead, ResponseHead } from '../http/exchange.ts';
import type { HeaderList } from '../http/headers.ts';
import { asksForTunnel, isConnect } from '../http/tunnel.ts';

/** Between the flat fields of HTTP/2 and the heads that all protocol versions share. Pure; the fields have been checked. */

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
  const read = readFields(fields, at);
  // The DATA of a CONNECT are a tunnel's, also where there will be none.
  const isTunnel = method === 'CONNECT';
  return {
    method,
    scheme,
    authority: authority ?? read.host ?? '',
    path,
    headers: read.headers,
    protocol: 'HTTP/2',
    upgrade,
    contentLength: isTunnel ? undefined : endStream ? 0 : read.contentLength,
    expectContinue: read.expectContinue && !endStream && !isTunnel,
  };
}

/** `isHead`: answer to a HEAD request, whose declared length has no body. */
export function readResponseHead(
  fields: readonly string[],
  endStream: boolean,
  isHead: boolean,
): ResponseHead {
  const status = Number(fields[1]);
  const { headers, contentLength } = readFields(fields, 2);
  const isBodiless = isHead || status === 304;
  return { status, headers, contentLength: contentLength ?? (endStream && !isBodiless ? 0 : undefined) };
}

/** `upgrade` set: extended CONNECT, whatever method asked for the upgrade in HTTP/1.1. */
export function writeRequestHead(head: RequestHead, endStream: boolean): HeaderList {
  const fields: HeaderList = [':method', head.upgrade === undefined ? head.method : 'CONNECT'];
  if (head.upgrade !== undefined) fields.push(':protocol', head.upgrade);
  if (!isConnect(head)) {
    fields.push(
      ':scheme',
      head.scheme === '' ? 'http' : head.scheme,
      ':path',
      head.path === '' ? '/' : head.path,
    );
  }
  fields.push(':authority', head.authority);
  if (!endStream && head.contentLength !== undefined && !asksForTunnel(head)) {
    fields.push('content-length', String(head.contentLength));
  }
  if (head.expectContinue && !endStream) fields.push('expect', '100-continue');
  writeFields(head.headers, fields);
  return fields;
}

/** `status` as it goes on the wire: 101 is 200 in answer to extended CONNECT. */
export function writeResponseHead(status: number, head: ResponseHead): HeaderList {
  const fields: HeaderList = [':status', String(status)];
  if (head.contentLength !== undefined && status >= 200 && status !== 204) {
    fields.push('content-length', String(head.contentLength));
  }
  writeFields(head.headers, fields);
  return fields;
}

/** Appends the fields that may stand in a message of HTTP/2 (RFC 9113 §8.2.2), whatever an HTTP/1 peer put there. */
export function writeFields(headers: readonly string[], fields: HeaderList): void {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    const value = headers[i + 1] ?? '';
    if (!isOwned(name) && (name !== 'te' || value.toLowerCase() === 'trailers')) fields.push(name, value);
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

interface ReadFields {
  readonly headers: HeaderList;
  readonly host: string | undefined;
  readonly contentLength: number | undefined;
  readonly expectContinue: boolean;
}

function readFields(fields: readonly string[], from: number): ReadFields {
  const headers: HeaderList = [];
  let host: string | undefined;
  let contentLength: number | undefined;
  let expectContinue = false;
  let cookieAt = -1;
  for (let i = from; i < fields.length; i += 2) {
    const name = fields[i] ?? '';
    const value = fields[i + 1] ?? '';
    if (name === 'host') host = value;
    else if (name === 'content-length') contentLength = Number(value);
    else if (name === 'expect') expectContinue = value.toLowerCase() === '100-continue';
    else if (name === 'cookie' && cookieAt >= 0) {
      // Crumbs are joined before they can reach a context other than HTTP/2 (RFC 9113 §8.2.3).
      headers[cookieAt + 1] = `${headers[cookieAt + 1] ?? ''}; ${value}`;
    } else {
      if (name === 'cookie') cookieAt = headers.length;
      headers.push(name, value);
    }
  }
  return { headers, host, contentLength, expectContinue };
}
