import type { ResponseHead } from '../http/exchange.ts';
import { BadMessage } from './bad-message.ts';
import { equals, FieldSection } from './field-section.ts';
import type { Http1Limits } from './limits.ts';
import { LineCarry } from './line-carry.ts';
import { MessageFields } from './message-fields.ts';
import { CR, FIELD_VALUE, LF, SP } from './octets.ts';

/** `HTTP/1.1 200`. */
const STATUS_END = 12;
const VERSION = 'HTTP/1.1 ';

/** Response heads off a byte stream. The status texts of `BadMessage` are not sent to anyone here. */
export class ResponseParser {
  complete = false;
  status = 0;
  readonly fields = new MessageFields();
  readonly #section: FieldSection;
  readonly #limits: Http1Limits;
  readonly #carry = new LineCarry();
  #bytes = 0;
  #inFields = false;
  #minor = 1;

  constructor(limits: Http1Limits) {
    this.#limits = limits;
    this.#section = new FieldSection(limits.maxFields);
  }

  get idle(): boolean {
    return this.#bytes === 0 && this.#carry.length === 0;
  }

  get oldVersion(): boolean {
    return this.#minor === 0;
  }

  reset(): void {
    this.complete = false;
    this.#bytes = 0;
    this.#inFields = false;
    this.fields.reset();
    this.#section.reset();
  }

  /** As `RequestParser.feed`. @throws BadMessage */
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

  /** The head, to be taken once when `complete`; `contentLength` as declared. @throws BadMessage */
  take(): ResponseHead {
    const fields = this.fields;
    fields.finish();
    if (fields.chunked && this.#minor === 0) throw new BadMessage(502, 'Transfer-Encoding in HTTP/1.0');
    const contentLength = fields.contentLength < 0 ? undefined : fields.contentLength;
    return { status: this.status, headers: fields.headers, contentLength };
  }

  #carried(buf: Buffer, pos: number, end: number): number {
    const carry = this.#carry;
    const before = carry.length;
    const next = carry.take(buf, pos, end);
    if (next < 0) return -1;
    this.#line(carry.bytes, 0, carry.length);
    carry.clear();
    this.#bytes += before;
    return next;
  }

  #line(buf: Buffer, pos: number, end: number): number {
    if (!this.#inFields) return this.#statusLine(buf, pos, end);
    const next = this.#section.line(buf, pos, end, this.fields);
    this.complete = this.#section.complete;
    return next;
  }

  #checkSize(held: number): void {
    if (this.#bytes + held > this.#limits.maxHeadBytes) throw new BadMessage(502, 'response head too large');
  }

  #statusLine(buf: Buffer, pos: number, end: number): number {
    const given = Math.min(VERSION.length, end - pos);
    for (let i = 0; i < given; i++) {
      if (buf[pos + i] === VERSION.charCodeAt(i)) continue;
      if (i === 7 && buf[pos + i] === 0x30) continue;
      throw new BadMessage(502, 'not a response of HTTP/1.1 or 1.0');
    }
    let i = pos + STATUS_END;
    if (i < end && buf[i] === SP) for (i++; i < end && FIELD_VALUE[buf[i] ?? 0] === 1; ) i++;
    if (i >= end) return -1;
    if (buf[i] !== CR) throw new BadMessage(502, 'malformed status line');
    if (i + 1 === end) return -1;
    if (buf[i + 1] !== LF) throw new BadMessage(502, 'bare CR in the status line');
    this.status = statusAt(buf, pos + VERSION.length);
    this.#minor = (buf[pos + 7] ?? 0) - 0x30;
    this.#inFields = true;
    return i + 2;
  }
}

function statusAt(buf: Buffer, pos: number): number {
  if (equals(buf, pos, pos + 3, '200')) return 200;
  let status = 0;
  for (let i = pos; i < pos + 3; i++) {
    const digit = (buf[i] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) throw new BadMessage(502, 'malformed status code');
    status = status * 10 + digit;
  }
  if (status < 100 || status > 599) throw new BadMessage(502, 'status code out of range');
  return status;
}
