import { isUtf8 } from 'node:buffer';
import type { RequestHead } from '#shared/http/exchange.ts';
import type { HeaderNameMatch } from '#shared/route/external-authorizer.ts';
import type { HeaderChange, HeaderValue } from '#shared/route/route-filter.ts';
import { bytesOf, ProtoError, readProto, textOf } from '../callout/proto-reader.ts';
import { ProtoWriter } from '../callout/proto-writer.ts';
import type { AuthorizerVerdict } from './authorizer-verdict.ts';
import { judgedRequest } from './judged-request.ts';
import { isSettable, matchesName } from './header-names.ts';

/** `envoy.service.auth.v3.CheckRequest` and `CheckResponse`, as far as they mean something here. */

export interface CheckInput {
  readonly request: RequestHead;
  /** As much of the body as is to be seen. */
  readonly body: Buffer;
  /** It is `raw_body` even where it is text. */
  readonly bodyAsBytes: boolean;
  readonly source: CheckPeer;
  readonly destination: CheckPeer;
  /** Wall clock. */
  readonly nowMs: number;
  /** Which headers are to be seen; empty: all. */
  readonly requestHeaders: readonly HeaderNameMatch[];
}

export interface CheckPeer {
  readonly ip: string;
  readonly port: number;
  /** SPIFFE id; empty: none. */
  readonly principal: string;
}

export function encodeCheck(input: CheckInput): Buffer {
  return new ProtoWriter()
    .message(1, attributes =>
      attributes
        .message(1, peer => writePeer(peer, input.source))
        .message(2, peer => writePeer(peer, input.destination))
        .message(4, request =>
          request.message(1, time => writeTime(time, input.nowMs)).message(2, http => writeHttp(http, input)),
        ),
    )
    .finish();
}

function writePeer(writer: ProtoWriter, { ip, port, principal }: CheckPeer): void {
  writer.message(1, address => address.message(1, socket => socket.text(2, ip).int(3, port)));
  writer.text(4, principal);
}

function writeTime(writer: ProtoWriter, nowMs: number): void {
  writer.int(1, Math.floor(nowMs / 1_000)).int(2, Math.floor(nowMs % 1_000) * 1_000_000);
}

function writeHttp(writer: ProtoWriter, { body, bodyAsBytes, request, requestHeaders }: CheckInput): void {
  const { contentLength, protocol } = request;
  const { authority, method, path, scheme } = judgedRequest(request);
  writer.text(1, headersOf(request).get('x-request-id') ?? '').text(2, method);
  writer.entry(3, ':method', method).entry(3, ':path', path).entry(3, ':authority', authority);
  if (scheme !== '') writer.entry(3, ':scheme', scheme);
  for (const [name, value] of headersOf(request)) {
    if (requestHeaders.length === 0 || matchesName(requestHeaders, name)) writer.entry(3, name, value);
  }
  writer.headerText(4, path).headerText(5, authority).text(6, scheme);
  writer.int(9, contentLength ?? -1).text(10, protocol === 'HTTP/2' ? 'HTTP/2' : protocol);
  if (body.length > 0) writer.bytes(isUtf8(body) && !bodyAsBytes ? 11 : 12, body);
}

/** Repeated fields are one entry of the map, joined as Envoy joins them. */
function headersOf({ headers }: Pick<RequestHead, 'headers'>): ReadonlyMap<string, string> {
  const joined = new Map<string, string>();
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? '';
    const value = headers[i + 1] ?? '';
    const known = joined.get(name);
    joined.set(name, known === undefined ? value : `${known},${value}`);
  }
  return joined;
}

/** Never throws: what cannot be read is an error of the authorizer. */
export function decodeCheck(message: Buffer): AuthorizerVerdict {
  try {
    return readVerdict(message);
  } catch (error) {
    if (!(error instanceof ProtoError)) throw error;
    return { kind: 'error', reason: `not a CheckResponse: ${error.message}` };
  }
}

function readVerdict(message: Buffer): AuthorizerVerdict {
  let code = 0;
  let denied: Buffer | undefined;
  let ok: Buffer = Buffer.alloc(0);
  readProto(message, field => {
    if (field.number === 1) {
      readProto(bytesOf(field), inner => {
        if (inner.number === 1) code = inner.value;
      });
    } else if (field.number === 2) denied = bytesOf(field);
    else if (field.number === 3) ok = bytesOf(field);
  });
  return code === 0 ? readAllowed(ok) : readDenied(denied ?? Buffer.alloc(0));
}

function readDenied(message: Buffer): AuthorizerVerdict {
  let status = 403;
  let body: Buffer = Buffer.alloc(0);
  const headers: HeaderValue[] = [];
  readProto(message, field => {
    if (field.number === 1) {
      readProto(bytesOf(field), inner => {
        if (inner.number === 1) status = inner.value;
      });
    } else if (field.number === 2) headers.push(readOption(bytesOf(field)).header);
    else if (field.number === 3) body = bytesOf(field);
  });
  if (status < 200 || status > 599) throw new ProtoError(`HTTP status ${status} in a denied response`);
  return { kind: 'deny', status, headers, body };
}

function readAllowed(message: Buffer): AuthorizerVerdict {
  const request = new HeaderOptions();
  const response = new HeaderOptions();
  readProto(message, field => {
    if (field.number === 2) request.push(readOption(bytesOf(field)));
    else if (field.number === 5) request.remove.push(textOf(field).toLowerCase());
    else if (field.number === 6) response.push(readOption(bytesOf(field)));
  });
  return { kind: 'allow', request: request.change(), response: response.change() };
}

interface HeaderOption {
  readonly header: HeaderValue;
  readonly append: boolean;
}

class HeaderOptions {
  readonly set: HeaderValue[] = [];
  readonly add: HeaderValue[] = [];
  readonly remove: string[] = [];

  push({ append, header }: HeaderOption): void {
    (append ? this.add : this.set).push(header);
  }

  /** Pseudo-headers and `host` cannot be removed: the request would be malformed. */
  change(): HeaderChange {
    return {
      set: this.set,
      add: this.add,
      remove: this.remove.filter(name => name !== 'host' && !name.startsWith(':')),
    };
  }
}

/** `HeaderValueOption`. Without `append` a header takes the place of one of its name. */
function readOption(message: Buffer): HeaderOption {
  let name = '';
  let value = '';
  let append = false;
  readProto(message, field => {
    if (field.number === 1) {
      readProto(bytesOf(field), inner => {
        if (inner.number === 1) name = textOf(inner).toLowerCase();
        // Both forms are bytes of a header, which are Latin-1 text here.
        else if (inner.number === 2 || inner.number === 3) value = bytesOf(inner).toString('latin1');
      });
    } else if (field.number === 2) {
      readProto(bytesOf(field), inner => {
        if (inner.number === 1) append = inner.value !== 0;
      });
    }
  });
  if (!isSettable(name, value)) throw new ProtoError(`header ${JSON.stringify(name)} cannot be set`);
  return { header: { name, value }, append };
}
