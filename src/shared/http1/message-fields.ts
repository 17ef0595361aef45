import { type HeaderList, removeHeader } from '../http/headers.ts';
import { BadMessage } from './bad-message.ts';
import { FieldKind } from './field-names.ts';
import type { FieldReceiver } from './field-section.ts';
import { TOKEN_LOWER } from './octets.ts';

/** 2^53 has 16 digits; 15 digits (a petabyte) can be added up without losing a unit. */
const MAX_LENGTH_DIGITS = 15;

/**
 * The fields of one message head: the end-to-end ones as a list, and the meaning of those that belong to the connection.
 * Whatever could be understood in two ways is refused here (RFC 9112 §6.3, §11.2).
 */
export class MessageFields implements FieldReceiver {
  headers: HeaderList = [];
  /** -1: not declared. */
  contentLength = -1;
  chunked = false;
  host: string | undefined;
  upgrade: string | undefined;
  expectContinue = false;
  /** From `Connection`. */
  close = false;
  keepAlive = false;
  connectionUpgrade = false;
  #named: string[] | undefined;

  reset(): void {
    this.headers = [];
    this.contentLength = -1;
    this.chunked = false;
    this.host = undefined;
    this.upgrade = undefined;
    this.expectContinue = false;
    this.close = false;
    this.keepAlive = false;
    this.connectionUpgrade = false;
    this.#named = undefined;
  }

  onField(name: string, value: string, kind: number): void {
    if (kind === FieldKind.ordinary) this.headers.push(name, value);
    else this.#special(value, kind);
  }

  /** To be called when the section is complete. @throws BadMessage */
  finish(): void {
    if (this.chunked && this.contentLength >= 0) {
      throw new BadMessage(400, 'both Content-Length and Transfer-Encoding');
    }
    if (this.#named !== undefined) for (const name of this.#named) removeHeader(this.headers, name);
  }

  #special(value: string, kind: number): void {
    switch (kind) {
      case FieldKind.host:
        if (this.host !== undefined) throw new BadMessage(400, 'more than one Host');
        this.host = value;
        return;
      case FieldKind.contentLength:
        if (this.contentLength >= 0) throw new BadMessage(400, 'more than one Content-Length');
        this.contentLength = parseLength(value);
        return;
      case FieldKind.transferEncoding:
        this.#transferEncoding(value);
        return;
      case FieldKind.connection:
        this.#connection(value);
        return;
      case FieldKind.upgrade:
        // A list offers a choice that a proxy cannot make; the field may be ignored (RFC 9110 §7.8).
        this.upgrade = this.upgrade === undefined && isProtocol(value) ? value : '';
        return;
      case FieldKind.expect:
        if (value.toLowerCase() !== '100-continue') throw new BadMessage(417, 'unknown expectation');
        this.expectContinue = true;
        return;
      default:
    }
  }

  #transferEncoding(value: string): void {
    if (this.chunked) throw new BadMessage(400, 'more than one Transfer-Encoding');
    if (value.toLowerCase() !== 'chunked') throw new BadMessage(501, 'Transfer-Encoding other than chunked');
    this.chunked = true;
  }

  #connection(value: string): void {
    if (value === 'keep-alive' || value === 'Keep-Alive') {
      this.keepAlive = true;
      return;
    }
    for (const element of value.split(',')) this.#connectionOption(element.trim().toLowerCase());
  }

  #connectionOption(option: string): void {
    if (option === 'close') this.close = true;
    else if (option === 'keep-alive') this.keepAlive = true;
    else if (option === 'upgrade') this.connectionUpgrade = true;
    else if (!isToken(option)) throw new BadMessage(400, 'malformed Connection');
    else if (option === 'host' || option === 'content-length' || option === 'transfer-encoding') {
      throw new BadMessage(400, `Connection names ${option}`);
    } else {
      this.#named ??= [];
      this.#named.push(option);
    }
  }
}

function parseLength(value: string): number {
  const digits = value.length;
  if (digits === 0 || digits > MAX_LENGTH_DIGITS) throw new BadMessage(400, 'malformed Content-Length');
  let length = 0;
  for (let i = 0; i < digits; i++) {
    const digit = value.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) throw new BadMessage(400, 'malformed Content-Length');
    length = length * 10 + digit;
  }
  // Some read a leading zero as octal.
  if (digits > 1 && value.charCodeAt(0) === 0x30) throw new BadMessage(400, 'malformed Content-Length');
  return length;
}

function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0xff || TOKEN_LOWER[code] === 0) return false;
  }
  return text.length > 0;
}

/** `token ["/" token]` (RFC 9110 §7.8). */
function isProtocol(text: string): boolean {
  const slash = text.indexOf('/');
  return slash < 0 ? isToken(text) : isToken(text.slice(0, slash)) && isToken(text.slice(slash + 1));
}
