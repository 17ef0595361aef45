import type { HeaderList } from '../http/headers.ts';
import { BadMessage } from './bad-message.ts';
import { isForbiddenInTrailers } from './field-names.ts';
import { type FieldReceiver, FieldSection, NO_FIELDS } from './field-section.ts';
import type { Http1Limits } from './limits.ts';
import { LineCarry } from './line-carry.ts';
import { CR, FIELD_VALUE, HEX, LF, SEMICOLON, TOKEN_LOWER } from './octets.ts';

/** 12 hex digits count to 2^48: far above any chunk, and no sum of them loses a unit before the body limit is looked at. */
const MAX_SIZE_DIGITS = 12;
const QUOTE = 0x22;
const EQUALS = 0x3d;

type State = 'done' | 'length' | 'until_close' | 'chunk_size' | 'chunk_data' | 'chunk_end' | 'trailers';

export interface BodyReceiver {
  onBodyData(slice: Buffer): void;
}

/**
 * Takes the framing off one message body (RFC 9112 §6, §7). One decoder a connection and direction, started anew for each
 * message.
 */
export class BodyDecoder implements FieldReceiver {
  /** Trailers of a chunked body, without those that are forbidden there. */
  trailers: HeaderList = NO_FIELDS;
  #state: State = 'done';
  #left = 0;
  #received = 0;
  #lineBytes = 0;
  readonly #limits: Http1Limits;
  readonly #carry = new LineCarry();
  readonly #section: FieldSection;

  constructor(limits: Http1Limits) {
    this.#limits = limits;
    this.#section = new FieldSection(limits.maxFields);
  }

  get done(): boolean {
    return this.#state === 'done';
  }

  get untilClose(): boolean {
    return this.#state === 'until_close';
  }

  /** @throws BadMessage 413 */
  startLength(bytes: number): void {
    if (bytes > this.#limits.maxBodyBytes) throw new BadMessage(413, 'declared body above the limit');
    this.#start(bytes === 0 ? 'done' : 'length');
    this.#left = bytes;
  }

  startChunked(): void {
    this.#start('chunk_size');
    this.#section.reset();
  }

  startUntilClose(): void {
    this.#start('until_close');
  }

  #start(state: State): void {
    this.#state = state;
    this.trailers = NO_FIELDS;
    this.#received = 0;
    this.#lineBytes = 0;
  }

  /**
   * Hands the body part of [pos, end) to the receiver.
   * @returns the position behind what was taken; less than `end` only when `done` is now true
   * @throws BadMessage
   */
  feed(buf: Buffer, pos: number, end: number, receiver: BodyReceiver): number {
    while (pos < end && this.#state !== 'done') {
      if (this.#state === 'length' || this.#state === 'chunk_data') pos = this.#data(buf, pos, end, receiver);
      else if (this.#state === 'until_close') {
        this.#count(end - pos);
        receiver.onBodyData(part(buf, pos, end));
        return end;
      } else pos = this.#framing(buf, pos, end);
    }
    return pos;
  }

  #data(buf: Buffer, pos: number, end: number, receiver: BodyReceiver): number {
    const stop = Math.min(end, pos + this.#left);
    this.#left -= stop - pos;
    if (this.#left === 0) this.#state = this.#state === 'length' ? 'done' : 'chunk_end';
    receiver.onBodyData(part(buf, pos, stop));
    return stop;
  }

  #count(bytes: number): void {
    this.#received += bytes;
    if (this.#received > this.#limits.maxBodyBytes) throw new BadMessage(413, 'body above the limit');
  }

  /** Takes one line of framing, or what there is of it. */
  #framing(buf: Buffer, pos: number, end: number): number {
    const carry = this.#carry;
    if (carry.length === 0) {
      const next = this.#line(buf, pos, end);
      if (next >= 0) return next;
    }
    const next = carry.take(buf, pos, end);
    if (next >= 0) {
      // Taken out before it is parsed: the line may be the message's last, and the next one starts clean.
      const line = carry.bytes;
      const length = carry.length;
      carry.clear();
      this.#line(line, 0, length);
      return next;
    }
    this.#checkLine(carry.length);
    return end;
  }

  #checkLine(held: number): void {
    const inTrailers = this.#state === 'trailers';
    const limit = inTrailers
      ? this.#limits.maxTrailerBytes
      : this.#limits.maxChunkExtensionBytes + MAX_SIZE_DIGITS;
    const bytes = inTrailers ? this.#lineBytes + held : held;
    if (bytes > limit)
      throw new BadMessage(inTrailers ? 431 : 400, `${inTrailers ? 'trailers' : 'chunk header'} too large`);
  }

  #line(buf: Buffer, pos: number, end: number): number {
    if (this.#state === 'chunk_size') return this.#sizeLine(buf, pos, end);
    if (this.#state === 'trailers') return this.#trailerLine(buf, pos, end);
    if (buf[pos] !== CR) throw new BadMessage(400, 'chunk is longer than its size');
    if (pos + 1 === end) return -1;
    if (buf[pos + 1] !== LF) throw new BadMessage(400, 'bare CR after a chunk');
    this.#state = 'chunk_size';
    return pos + 2;
  }

  #sizeLine(buf: Buffer, pos: number, end: number): number {
    let size = 0;
    let i = pos;
    for (; i < end; i++) {
      const digit = HEX[buf[i] ?? 0] ?? 255;
      if (digit === 255) break;
      size = size * 16 + digit;
    }
    if (i - pos > MAX_SIZE_DIGITS) throw new BadMessage(400, 'chunk size out of range');
    if (i === end) return -1;
    if (i === pos) throw new BadMessage(400, 'malformed chunk size');
    const sizeEnd = i;
    if (buf[i] === SEMICOLON) {
      i = extensionsEnd(buf, i, end);
      if (i < 0) return -1;
    }
    if (i - sizeEnd > this.#limits.maxChunkExtensionBytes)
      throw new BadMessage(400, 'chunk extensions too large');
    if (buf[i] !== CR) throw new BadMessage(400, 'malformed chunk size');
    if (i + 1 === end) return -1;
    if (buf[i + 1] !== LF) throw new BadMessage(400, 'bare CR in a chunk header');
    this.#count(size);
    this.#left = size;
    this.#state = size === 0 ? 'trailers' : 'chunk_data';
    return i + 2;
  }

  #trailerLine(buf: Buffer, pos: number, end: number): number {
    const next = this.#section.line(buf, pos, end, this);
    if (next < 0) return -1;
    this.#lineBytes += next - pos;
    this.#checkLine(0);
    if (this.#section.complete) this.#state = 'done';
    return next;
  }

  onField(name: string, value: string): void {
    if (name === 'content-length' || name === 'transfer-encoding') {
      throw new BadMessage(400, `${name} in the trailers`);
    }
    if (isForbiddenInTrailers(name)) return;
    if (this.trailers === NO_FIELDS) this.trailers = [];
    this.trailers.push(name, value);
  }
}

function part(buf: Buffer, start: number, stop: number): Buffer {
  return start === 0 && stop === buf.length ? buf : buf.subarray(start, stop);
}

/**
 * Position of the CR behind `*( ";" token [ "=" ( token / quoted-string ) ] )` (RFC 9112 §7.1.1, without the blanks it
 * calls bad), or -1 when [pos, end) ends before it. @throws BadMessage
 */
function extensionsEnd(buf: Buffer, pos: number, end: number): number {
  let i = pos;
  while (i < end && buf[i] === SEMICOLON) {
    i = tokenEnd(buf, i + 1, end);
    if (i < end && buf[i] === EQUALS)
      i = buf[i + 1] === QUOTE ? quotedEnd(buf, i + 2, end) : tokenEnd(buf, i + 1, end);
  }
  return i >= end ? -1 : i;
}

function tokenEnd(buf: Buffer, pos: number, end: number): number {
  let i = pos;
  while (i < end && TOKEN_LOWER[buf[i] ?? 0] !== 0) i++;
  if (i === pos && i < end) throw new BadMessage(400, 'malformed chunk extension');
  return i;
}

/** Position behind the closing quote. A backslash would need the reader to agree on escapes: refused. */
function quotedEnd(buf: Buffer, pos: number, end: number): number {
  let i = pos;
  while (i < end && buf[i] !== QUOTE) {
    if (buf[i] === 0x5c || FIELD_VALUE[buf[i] ?? 0] !== 1)
      throw new BadMessage(400, 'malformed chunk extension');
    i++;
  }
  return i + 1;
}
