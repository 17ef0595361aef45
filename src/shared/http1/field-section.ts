import type { HeaderList } from '../http/headers.ts';
import { BadMessage } from './bad-message.ts';
import { internName, kindAt, nameAt } from './field-names.ts';
import { COLON, CR, FIELD_VALUE, HTAB, LF, SP, TOKEN_LOWER } from './octets.ts';

export interface FieldReceiver {
  /** `kind` is one of `FieldKind`. */
  onField(name: string, value: string, kind: number): void;
}

/** Values remembered per connection: clients repeat most of their fields in every request. */
const REMEMBERED = 32;

/**
 * Parses field lines (RFC 9112 §5) one at a time: `name ":" OWS value OWS CRLF`. Anything else is refused: obsolete line
 * folding, blanks before the colon, bare CR or LF, NUL and other control characters.
 */
export class FieldSection {
  complete = false;
  readonly #maxFields: number;
  readonly #remembered: string[] = [];
  #count = 0;

  constructor(maxFields: number) {
    this.#maxFields = maxFields;
  }

  reset(): void {
    this.complete = false;
    this.#count = 0;
  }

  /**
   * @returns the position behind the line, or -1 when [pos, end) ends before it does (nothing is kept then).
   * @throws BadMessage
   */
  line(buf: Buffer, pos: number, end: number, receiver: FieldReceiver): number {
    if (buf[pos] === CR) return this.#emptyLine(buf, pos, end);
    let hash = 0;
    let i = pos;
    for (; i < end; i++) {
      const lower = TOKEN_LOWER[buf[i] ?? 0] ?? 0;
      if (lower === 0) break;
      hash = (Math.imul(hash, 31) + lower) | 0;
    }
    if (i === end) return -1;
    if (i === pos || buf[i] !== COLON) throw new BadMessage(400, nameFault(buf[i] ?? 0, i === pos));
    const colon = i;
    for (i++; i < end && (buf[i] === SP || buf[i] === HTAB); ) i++;
    const start = i;
    while (i < end && FIELD_VALUE[buf[i] ?? 0] === 1) i++;
    if (i === end) return -1;
    if (buf[i] !== CR) throw new BadMessage(400, 'control character in a field value');
    if (i + 1 === end) return -1;
    if (buf[i + 1] !== LF) throw new BadMessage(400, 'bare CR in a field value');
    let stop = i;
    while (stop > start && (buf[stop - 1] === SP || buf[stop - 1] === HTAB)) stop--;
    const slot = internName(buf, pos, colon, hash);
    this.#emit(nameAt(slot), kindAt(slot), buf, start, stop, receiver);
    return i + 2;
  }

  #emit(name: string, kind: number, buf: Buffer, start: number, stop: number, receiver: FieldReceiver): void {
    const index = this.#count++;
    if (index >= this.#maxFields) throw new BadMessage(431, `more than ${this.#maxFields} fields`);
    const known = this.#remembered[index];
    if (known !== undefined && equals(buf, start, stop, known)) {
      receiver.onField(name, known, kind);
      return;
    }
    const value = buf.toString('latin1', start, stop);
    if (index < REMEMBERED && value.length <= 256) this.#remembered[index] = value;
    receiver.onField(name, value, kind);
  }

  #emptyLine(buf: Buffer, pos: number, end: number): number {
    if (pos + 1 === end) return -1;
    if (buf[pos + 1] !== LF) throw new BadMessage(400, 'bare CR where a field was expected');
    this.complete = true;
    return pos + 2;
  }
}

function nameFault(octet: number, first: boolean): string {
  if (first && (octet === SP || octet === HTAB)) return 'obsolete line folding';
  if (octet === SP || octet === HTAB) return 'whitespace before the colon of a field';
  if (octet === LF) return 'line ended by a bare LF';
  return 'invalid character in a field name';
}

/** True when the octets at [start, stop) are exactly `text`. */
export function equals(buf: Buffer, start: number, stop: number, text: string): boolean {
  if (stop - start !== text.length) return false;
  for (let i = 0; i < text.length; i++) if (buf[start + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** Shared by every message without trailers. Frozen: a receiver that wants to add makes its own list. */
export const NO_FIELDS: HeaderList = [];
Object.freeze(NO_FIELDS);
