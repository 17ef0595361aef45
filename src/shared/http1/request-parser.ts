import type { RequestHead } from '../http/exchange.ts';
import type { HeaderList } from '../http/headers.ts';
import { asksForTunnel } from '../http/tunnel.ts';
import { carriesRequests } from '../http/upgrade-token.ts';
import { BadMessage } from './bad-message.ts';
import { FieldSection, equals } from './field-section.ts';
import type { Http1Limits } from './limits.ts';
import { LineCarry } from './line-carry.ts';
import { MessageFields } from './message-fields.ts';
import { CR, LF, SP, TARGET, TOKEN_LOWER } from './octets.ts';
import { resolveTarget } from './request-target.ts';

const MAX_METHOD_BYTES = 32;
/** `HTTP/1.1` CR LF. */
const VERSION_BYTES = 8;

/** Request heads off a byte stream, one after the other; whatever pieces they come in, the result is the same. */
export class RequestParser {
  complete = false;
  readonly fields = new MessageFields();
  readonly #section: FieldSection;
  readonly #limits: Http1Limits;
  readonly #carry = new LineCarry();
  #bytes = 0;
  #inFields = false;
  #skippedEmptyLine = false;
  #method = '';
  #target = '';
  #minor = 1;
  #checkedHost: string | undefined;

  constructor(limits: Http1Limits) {
    this.#limits = limits;
    this.#section = new FieldSection(limits.maxFields);
  }

  /** True between requests: not one byte of the next head has arrived. */
  get idle(): boolean {
    return this.#bytes === 0 && this.#carry.length === 0;
  }

  get method(): string {
    return this.#method;
  }

  reset(): void {
    this.complete = false;
    this.#bytes = 0;
    this.#inFields = false;
    this.#skippedEmptyLine = false;
    this.fields.reset();
    this.#section.reset();
  }

  /**
   * Reads on in [pos, end) of `buf`.
   * @returns the position behind what was taken: `end`, or where the body begins when `complete` is now true
   * @throws BadMessage
   */
  feed(buf: Buffer, pos: number, end: number): number {
    while (pos < end && !this.complete) {
      const next = this.#carry.length > 0 ? this.#carried(buf, pos, end) : this.#line(buf, pos, end);
      if (next < 0) {
        if (this.#carry.length === 0) this.#carry.take(buf, pos, end);
        this.#checkSize(this.#carry.length);
        return end;
      }
      this.#bytes += next - pos;
      this.#checkSize(0);
      pos = next;
    }
    return pos;
  }

  /** The head, to be taken once when `complete`. @throws BadMessage */
  take(scheme: string): RequestHead {
    const fields = this.fields;
    fields.finish();
    const oldVersion = this.#minor === 0;
    if (fields.host === undefined && !oldVersion) throw new BadMessage(400, 'Host is missing');
    // RFC 9112 §6.1: a message of HTTP/1.0 with Transfer-Encoding has faulty framing.
    if (fields.chunked && oldVersion) throw new BadMessage(400, 'Transfer-Encoding in HTTP/1.0');
    // RFC 9110 §9.3.6: what follows a CONNECT is the tunnel's; a declared body could be read as either.
    if (this.#method === 'CONNECT' && (fields.chunked || fields.contentLength >= 0)) {
      throw new BadMessage(400, 'CONNECT with a body');
    }
    return this.#head(scheme, oldVersion);
  }

  #head(scheme: string, oldVersion: boolean): RequestHead {
    const fields = this.fields;
    const method = this.#method;
    const head = new Http1RequestHead(method, oldVersion, fields);
    const path = this.#target;
    if (path.charCodeAt(0) === 0x2f && method !== 'CONNECT' && this.#checkedHost === fields.host) {
      head.scheme = scheme;
      head.authority = fields.host ?? '';
      head.path = path;
      return head;
    }
    const resolved = resolveTarget(method, path, fields.host, scheme);
    this.#checkedHost = fields.host;
    head.scheme = resolved.scheme;
    head.authority = resolved.authority;
    head.path = resolved.path;
    return head;
  }

  #carried(buf: Buffer, pos: number, end: number): number {
    const carry = this.#carry;
    const before = carry.length;
    const next = carry.take(buf, pos, end);
    if (next < 0) return -1;
    const line = carry.bytes;
    const length = carry.length;
    this.#line(line, 0, length);
    carry.clear();
    this.#bytes += before;
    return next;
  }

  #line(buf: Buffer, pos: number, end: number): number {
    if (!this.#inFields) return this.#requestLine(buf, pos, end);
    const next = this.#section.line(buf, pos, end, this.fields);
    this.complete = this.#section.complete;
    return next;
  }

  #checkSize(held: number): void {
    const bytes = this.#bytes + held;
    if (!this.#inFields && bytes > this.#limits.maxStartLineBytes)
      throw new BadMessage(414, 'request line too long');
    if (bytes > this.#limits.maxHeadBytes) throw new BadMessage(431, 'request head too large');
  }

  #requestLine(buf: Buffer, pos: number, end: number): number {
    if (buf[pos] === CR) return this.#leadingEmptyLine(buf, pos, end);
    let i = pos;
    while (i < end && TOKEN_LOWER[buf[i] ?? 0] !== 0) i++;
    if (i - pos > MAX_METHOD_BYTES) throw new BadMessage(400, 'method too long');
    if (i === end) return -1;
    if (i === pos || buf[i] !== SP) throw new BadMessage(400, 'malformed method');
    const methodEnd = i;
    const start = ++i;
    while (i < end && TARGET[buf[i] ?? 0] === 1) i++;
    if (i === end) return -1;
    if (i === start || buf[i] !== SP) throw new BadMessage(400, 'malformed request target');
    const minor = this.#version(buf, i + 1, end);
    if (minor < 0) return -1;
    if (i - pos > this.#limits.maxStartLineBytes) throw new BadMessage(414, 'request line too long');
    this.#minor = minor;
    if (!equals(buf, pos, methodEnd, this.#method)) this.#method = buf.toString('latin1', pos, methodEnd);
    if (!equals(buf, start, i, this.#target)) this.#target = buf.toString('latin1', start, i);
    this.#inFields = true;
    return i + 1 + VERSION_BYTES + 2;
  }

  /** Minor version, or -1 when the line has no end yet. */
  #version(buf: Buffer, pos: number, end: number): number {
    const given = Math.min(VERSION_BYTES, end - pos);
    for (let i = 0; i < given; i++) {
      if (buf[pos + i] === VERSION.charCodeAt(i)) continue;
      if (i === 7 && buf[pos + i] === 0x30) continue;
      throw new BadMessage(isOtherVersion(buf, pos, given, i) ? 505 : 400, 'HTTP version is not 1.1 or 1.0');
    }
    if (end - pos > VERSION_BYTES && buf[pos + VERSION_BYTES] !== CR)
      throw new BadMessage(400, 'malformed request line');
    if (end - pos < VERSION_BYTES + 2) return -1;
    if (buf[pos + VERSION_BYTES + 1] !== LF) throw new BadMessage(400, 'bare CR in the request line');
    return (buf[pos + 7] ?? 0) - 0x30;
  }

  /** One CRLF before a request is forgiven (RFC 9112 §2.2): old clients send it after a body. */
  #leadingEmptyLine(buf: Buffer, pos: number, end: number): number {
    if (this.#skippedEmptyLine) throw new BadMessage(400, 'empty line where a request was expected');
    if (pos + 1 === end) return -1;
    if (buf[pos + 1] !== LF) throw new BadMessage(400, 'bare CR where a request was expected');
    this.#skippedEmptyLine = true;
    return pos + 2;
  }
}

const VERSION = 'HTTP/1.1';

/** `HTTP/` digit `.` digit, of another version. */
function isOtherVersion(buf: Buffer, pos: number, given: number, differs: number): boolean {
  if (differs < 5 || given < VERSION_BYTES) return false;
  const major = (buf[pos + 5] ?? 0) - 0x30;
  const minor = (buf[pos + 7] ?? 0) - 0x30;
  return buf[pos + 6] === 0x2e && major >= 0 && major <= 9 && minor >= 0 && minor <= 9;
}

class Http1RequestHead implements RequestHead {
  readonly method: string;
  scheme = '';
  authority = '';
  path = '';
  headers: HeaderList;
  readonly protocol: 'HTTP/1.0' | 'HTTP/1.1';
  readonly upgrade: string | undefined;
  readonly contentLength: number | undefined;
  readonly expectContinue: boolean;

  constructor(method: string, oldVersion: boolean, fields: MessageFields) {
    this.method = method;
    this.headers = fields.headers;
    this.protocol = oldVersion ? 'HTTP/1.0' : 'HTTP/1.1';
    this.upgrade = upgradeToken(method, oldVersion, fields);
    this.contentLength =
      fields.chunked || asksForTunnel(this) ? undefined : Math.max(0, fields.contentLength);
    // RFC 9110 §10.1.1: ignored without a body and in HTTP/1.0.
    this.expectContinue =
      fields.expectContinue && !oldVersion && (fields.chunked || fields.contentLength > 0);
  }
}

/**
 * The offered protocol, when switching to it is possible: an upgrade may be ignored (RFC 9110 §7.8), and is with HTTP/1.0, with a
 * body (its end would have to be waited for), and for h2c and the like, behind which requests would hide.
 */
function upgradeToken(method: string, oldVersion: boolean, fields: MessageFields): string | undefined {
  const token = fields.upgrade;
  if (token === undefined || token === '' || !fields.connectionUpgrade || oldVersion) return undefined;
  if (fields.chunked || fields.contentLength > 0 || method === 'CONNECT') return undefined;
  return carriesRequests(token) ? undefined : token;
}
