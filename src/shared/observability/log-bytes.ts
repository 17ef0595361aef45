/** Of UTF-8. */
const MAX_BYTES_PER_CHAR = 4;
/** For text of unknown length. */
const MIN_ROOM_BYTES = 256;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const TILDE = 0x7e;
const ZERO = 0x30;
const POINT = 0x2e;
/** Below it an integer is written digit by digit. */
const MAX_DIGITS_VALUE = 1e15;

export interface LogBytesOptions {
  readonly firstBytes: number;
  /** What is larger is not kept once it has been cleared: one long line needs it, and no other. */
  readonly maxKeptBytes: number;
}

/**
 * Text of a log as it is put together, in UTF-8. A log of every request would otherwise leave a hundred short strings
 * behind each line, and collecting them costs more than writing them.
 */
export class LogBytes {
  readonly #options: LogBytesOptions;
  #bytes: Buffer;
  #length = 0;

  constructor(options: LogBytesOptions) {
    this.#options = options;
    this.#bytes = Buffer.allocUnsafe(options.firstBytes);
  }

  /** The first `length` bytes are the text. Valid until the next change. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  get length(): number {
    return this.#length;
  }

  clear(): void {
    this.#length = 0;
    const { firstBytes, maxKeptBytes } = this.#options;
    if (this.#bytes.length > maxKeptBytes) this.#bytes = Buffer.allocUnsafe(firstBytes);
  }

  /** Drops the first `count` bytes. */
  dropFirst(count: number): void {
    if (count === this.#length) return this.clear();
    if (count > 0) this.#bytes.copyWithin(0, count, this.#length);
    this.#length -= count;
  }

  copy(): Uint8Array {
    return Uint8Array.prototype.slice.call(this.#bytes, 0, this.#length);
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  append(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** The first `length` of `bytes`. */
  appendFirst(bytes: Buffer, length: number): void {
    this.#reserve(length);
    this.#length += bytes.copy(this.#bytes, this.#length, 0, length);
  }

  /** @param text of ASCII alone, and one of few constants */
  ascii(text: string): void {
    const { length } = text;
    this.#reserve(length);
    let at = this.#length;
    for (let i = 0; i < length; i++) this.#bytes[at++] = text.charCodeAt(i);
    this.#length = at;
  }

  text(text: string): void {
    this.#length += this.#write(text, this.#length);
  }

  /** In quotes. @returns false, with nothing written, for what is not printable ASCII that can stand in quotes as it is */
  plainQuoted(text: string): boolean {
    const start = this.#length + 1;
    const end = start + this.#write(text, start);
    const bytes = this.#bytes;
    for (let at = start; at < end; at++) {
      const c = bytes[at] ?? 0;
      if (c < SPACE || c > TILDE || c === QUOTE || c === BACKSLASH) return false;
    }
    bytes[start - 1] = QUOTE;
    bytes[end] = QUOTE;
    this.#length = end + 1;
    return true;
  }

  number(value: number): void {
    if (Number.isInteger(value) && value >= 0 && value < MAX_DIGITS_VALUE) this.#digits(value);
    else this.text(String(value));
  }

  /** In whole milliseconds, below ten with one decimal: `12`, `3.4`. */
  milliseconds(ms: number): void {
    if (ms >= 10) return this.number(Math.round(ms));
    const tenths = Math.round(ms * 10);
    this.number(Math.floor(tenths / 10));
    this.byte(POINT);
    this.number(tenths % 10);
  }

  /**
   * Writes at `start`, with room for one more byte behind. One call for all of it: strings come in many shapes (slices, pieces
   * put together, constants), and to ask one of unknown shape for its length, or for each of its characters, is a search each time.
   * @returns how many bytes there are
   */
  #write(text: string, start: number): number {
    this.#reserve(start - this.#length + MIN_ROOM_BYTES);
    let written = this.#bytes.write(text, start, 'utf8');
    // As much as there was room for, less what another character may take: perhaps not all.
    while (start + written + MAX_BYTES_PER_CHAR >= this.#bytes.length) {
      this.#reserve(this.#bytes.length);
      written = this.#bytes.write(text, start, 'utf8');
    }
    return written;
  }

  #digits(value: number): void {
    let count = 1;
    for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) count++;
    this.#reserve(count);
    let rest = value;
    for (let at = this.#length + count - 1; at >= this.#length; at--) {
      const tens = Math.floor(rest / 10);
      this.#bytes[at] = ZERO + rest - tens * 10;
      rest = tens;
    }
    this.#length += count;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}
