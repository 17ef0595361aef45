import { isUtf8 } from 'node:buffer';

const FIRST_CAPACITY = 512;
const VARINT = 0;
const LENGTH_DELIMITED = 2;

/**
 * Writes one protobuf message (proto3: a field of its default value is left out). For the few small messages that a thread
 * of the data path sends by itself; the control plane's messages go through protobufjs, which costs each thread megabytes.
 */
export class ProtoWriter {
  #bytes = Buffer.allocUnsafe(FIRST_CAPACITY);
  #length = 0;

  text(field: number, value: string): this {
    return value === '' ? this : this.bytes(field, Buffer.from(value));
  }

  /**
   * A header value, which is Latin-1 text, as the bytes it stands for where they are UTF-8 (what protobuf demands of a
   * string); else each byte as its own character.
   */
  headerText(field: number, value: string): this {
    const raw = Buffer.from(value, 'latin1');
    return isUtf8(raw) ? this.bytes(field, raw) : this.bytes(field, Buffer.from(value));
  }

  /** Written even when empty. */
  bytes(field: number, value: Uint8Array): this {
    this.#varint(field * 8 + LENGTH_DELIMITED);
    this.#varint(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  /** A whole number ≥ 0, or -1 (int32 or int64: ten bytes). */
  int(field: number, value: number): this {
    if (value === 0) return this;
    this.#varint(field * 8 + VARINT);
    if (value >= 0) this.#varint(value);
    else this.#negativeOne();
    return this;
  }

  /** A nested message, written even when it is empty. */
  message(field: number, write: (inner: ProtoWriter) => void): this {
    const inner = new ProtoWriter();
    write(inner);
    return this.bytes(field, inner.finish());
  }

  /** An entry of `map<string, string>`; `value` is a header value. */
  entry(field: number, key: string, value: string): this {
    return this.message(field, inner => inner.text(1, key).headerText(2, value));
  }

  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #varint(value: number): void {
    this.#reserve(10);
    let left = value;
    while (left >= 0x80) {
      this.#bytes[this.#length++] = (left % 0x80) | 0x80;
      left = Math.floor(left / 0x80);
    }
    this.#bytes[this.#length++] = left;
  }

  #negativeOne(): void {
    this.#reserve(10);
    this.#bytes.fill(0xff, this.#length, this.#length + 9);
    this.#bytes[this.#length + 9] = 0x01;
    this.#length += 10;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}
