import { ExchangeError } from '../http/exchange.ts';
import { isOwnedField } from './field-names.ts';
import { FIELD_VALUE, TOKEN_LOWER } from './octets.ts';

const COMMON_BYTES = 2048;

/**
 * Renders heads into one buffer that all connections of the thread share: `ByteChannel.write` takes the bytes during the
 * call. What is written is checked again on the way, octet by octet, because a list may come from a filter or from
 * another protocol version: no value can end a line.
 */
let buffer = Buffer.allocUnsafeSlow(16 * 1024);
let at = 0;
/** Views of the common lengths, so that a head costs no new view. */
let views: (Buffer | undefined)[] = [];

export function beginHead(): void {
  at = 0;
}

/** The rendered head, valid until the next `beginHead` of the thread. */
export function endHead(): Buffer {
  if (at > COMMON_BYTES) return buffer.subarray(0, at);
  const known = views[at];
  if (known !== undefined) return known;
  const view = buffer.subarray(0, at);
  views[at] = view;
  return view;
}

/** Text of our own, known to be ASCII. */
export function putText(text: string): void {
  reserve(text.length);
  let to = at;
  for (let i = 0; i < text.length; i++) buffer[to++] = text.charCodeAt(i);
  at = to;
}

/** A method or target. @throws ExchangeError when it holds a blank, a control character or non-ASCII */
export function putWord(text: string): void {
  reserve(text.length);
  let to = at;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code <= 0x20 || code >= 0x7f) throw unsendable('request line');
    buffer[to++] = code;
  }
  at = to;
}

/** `name: value` CRLF. @throws ExchangeError when either cannot be sent */
export function putField(name: string, value: string): void {
  reserve(name.length + value.length + 4);
  let to = at;
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    if (code > 0xff || TOKEN_LOWER[code] === 0) throw unsendable('field name');
    buffer[to++] = code;
  }
  if (name.length === 0) throw unsendable('field name');
  buffer[to++] = 0x3a;
  buffer[to++] = 0x20;
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code > 0xff || FIELD_VALUE[code] === 0) throw unsendable(`value of ${name}`);
    buffer[to++] = code;
  }
  buffer[to++] = 0x0d;
  buffer[to++] = 0x0a;
  at = to;
}

/**
 * All fields but those the codec owns.
 * @returns true when `date` is among them
 */
export function putFields(headers: readonly string[]): boolean {
  let dated = false;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? '';
    if (isOwnedField(name)) continue;
    if (name === 'date') dated = true;
    putField(name, headers[i + 1] ?? '');
  }
  return dated;
}

function reserve(bytes: number): void {
  if (at + bytes <= buffer.length) return;
  const grown = Buffer.allocUnsafeSlow((at + bytes) * 2);
  buffer.copy(grown, 0, 0, at);
  buffer = grown;
  views = [];
}

function unsendable(what: string): ExchangeError {
  return new ExchangeError('protocol_error', `cannot be sent as HTTP/1.1: invalid character in the ${what}`);
}
