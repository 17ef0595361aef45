const FIRST_BYTES = 2_048;
/** What one long line needed is not kept for ever. */
const MAX_KEPT_BYTES = 64 * 1024;
/** Of UTF-8, for each unit of a JavaScript string. */
const MAX_BYTES_PER_CHAR = 3;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const TILDE = 0x7e;
const ZERO = 0x30;
const POINT = 0x2e;
/** Below it an integer is written digit by digit. */
const MAX_DIGITS_VALUE = 1e15;

/**
 * One line of text as it is put together, in UTF-8. A log of every request would otherwise leave a hundred short strings
 * behind each line, and collecting them costs more than writing them.
 */
export class LineBytes {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  #length = 0;

  /** The first `length` bytes are the line. Valid until the next change. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  get length(): number {
    return this.#length;
  }

  clear(): void {
    this.#length = 0;
    if (this.#bytes.length > MAX_KEPT_BYTES) this.#bytes = Buffer.allocUnsafe(FIRST_BYTES);
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

  /** @param text of ASCII alone */
  ascii(text: string): void {
    this.#reserve(text.length);
    let at = this.#length;
    for (let i = 0; i < text.length; i++) this.#bytes[at++] = text.charCodeAt(i);
    this.#length = at;
  }

  text(text: string): void {
    this.#reserve(text.length * MAX_BYTES_PER_CHAR);
    this.#length += this.#bytes.write(text, this.#length, 'utf8');
  }

  /** In quotes. @returns false, with nothing written, for what is not printable ASCII that can stand in quotes as it is */
  plainQuoted(text: string): boolean {
    this.#reserve(text.length + 2);
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at++] = QUOTE;
    for (let i = 0; i < text.length; i++) {
      const c = text.charCodeAt(i);
      if (c < SPACE || c > TILDE || c === QUOTE || c === BACKSLASH) return false;
      bytes[at++] = c;
    }
    bytes[at++] = QUOTE;
    this.#length = at;
    return true;
  }

  number(value: number): void {
    if (Number.isInteger(value) && value >= 0 && value < MAX_DIGITS_VALUE) this.#digits(value);
    else this.ascii(String(value));
  }

  /** In whole milliseconds, below ten with one decimal: `12`, `3.4`. */
  milliseconds(ms: number): void {
    if (ms >= 10) return this.number(Math.round(ms));
    const tenths = Math.round(ms * 10);
    this.number(Math.floor(tenths / 10));
    this.byte(POINT);
    this.number(tenths % 10);
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
