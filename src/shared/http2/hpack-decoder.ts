import { EMPTY } from './frame.ts';
import { type HeaderList, truncate } from '../http/headers.ts';
import { DynamicTable, ENTRY_OVERHEAD_BYTES } from './dynamic-table.ts';
import { ErrorCode, Http2ConnectionError } from './error-code.ts';
import { huffmanDecode } from './huffman.ts';
import { STATIC_COUNT, STATIC_TABLE } from './static-table.ts';

/** Until the peer has acknowledged our SETTINGS it may use the protocol's default (RFC 9113 §6.5.2). */
const INITIAL_TABLE_BYTES = 4096;
/** A list this many times over the limit is an attack and no longer worth decoding. */
const BOMB_FACTOR = 16;

/** Shared by all decoders of the thread: it is filled and read within one call. */
let scratch: Buffer = Buffer.allocUnsafe(1024);

/** Decodes header blocks in the order received (RFC 7541). One per connection. */
export class HpackDecoder {
  readonly #table = new DynamicTable(INITIAL_TABLE_BYTES);
  readonly #maxListBytes: number;
  #tableLimit = INITIAL_TABLE_BYTES;
  #updateRequired = false;
  #input = EMPTY;
  #at = 0;
  #end = 0;
  /** Of the list being filled. */
  #count = 0;

  /** `maxListBytes`: size (RFC 9113 §6.5.2) from which fields are no longer kept. */
  constructor(maxListBytes: number) {
    this.#maxListBytes = maxListBytes;
  }

  /** The peer acknowledged SETTINGS_HEADER_TABLE_SIZE: a smaller table must be confirmed by it (RFC 7541 §4.2). */
  setTableLimit(maxBytes: number): void {
    this.#tableLimit = maxBytes;
    if (this.#table.maxBytes > maxBytes) this.#updateRequired = true;
  }

  /**
   * Puts the fields of the complete block `input[start, end)` into `fields`, in place of what was there: a list may serve for many.
   * @returns the size of the list; above `maxListBytes` what did not fit was left out, and the stream must be refused.
   * Throws Http2ConnectionError: COMPRESSION_ERROR, or ENHANCE_YOUR_CALM for a header bomb.
   */
  decode(input: Buffer, start: number, end: number, fields: HeaderList): number {
    this.#count = 0;
    this.#input = input;
    this.#at = start;
    this.#end = end;
    let listBytes = 0;
    let first = true;
    while (this.#at < end) {
      const byte = input[this.#at] ?? 0;
      if ((byte & 0xe0) === 0x20) {
        if (!first) throw compressionError('a table size update stands behind the first field');
        this.#tableSizeUpdate();
        continue;
      }
      if (first && this.#updateRequired) throw compressionError('the reduced table size was not confirmed');
      first = false;
      listBytes = this.#field(byte, fields, listBytes);
      if (listBytes > this.#maxListBytes * BOMB_FACTOR) throw headerBomb(listBytes, this.#maxListBytes);
    }
    truncate(fields, this.#count);
    return listBytes;
  }

  #field(byte: number, fields: HeaderList, listBytes: number): number {
    let name: string;
    let value: string;
    if (byte >= 0x80) {
      const index = this.#integer(0x7f);
      name = this.#nameAt(index);
      value = this.#valueAt(index);
    } else {
      const indexed = (byte & 0x40) !== 0;
      const index = this.#integer(indexed ? 0x3f : 0x0f);
      name = index === 0 ? this.#string() : this.#nameAt(index);
      value = this.#string();
      if (indexed) this.#table.add(name, value);
    }
    const total = listBytes + name.length + value.length + ENTRY_OVERHEAD_BYTES;
    if (total <= this.#maxListBytes) {
      fields[this.#count++] = name;
      fields[this.#count++] = value;
    }
    return total;
  }

  #tableSizeUpdate(): void {
    const maxBytes = this.#integer(0x1f);
    if (maxBytes > this.#tableLimit) {
      throw compressionError(`table size update to ${maxBytes}, above the limit of ${this.#tableLimit}`);
    }
    this.#table.resize(maxBytes);
    this.#updateRequired = false;
  }

  /** RFC 7541 §5.1, with a bound of 2^28: nothing here is larger. */
  #integer(mask: number): number {
    let value = (this.#input[this.#at++] ?? 0) & mask;
    if (value < mask) return value;
    for (let shift = 0; shift < 28; shift += 7) {
      if (this.#at >= this.#end) throw compressionError('a header block ends within an integer');
      const byte = this.#input[this.#at++] ?? 0;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw compressionError('an integer is too large');
  }

  #string(): string {
    if (this.#at >= this.#end) throw compressionError('a header block ends before a string');
    const isHuffman = (this.#input[this.#at] ?? 0) >= 0x80;
    const length = this.#integer(0x7f);
    const start = this.#at;
    const end = start + length;
    if (end > this.#end) throw compressionError('a header block ends within a string');
    this.#at = end;
    if (!isHuffman) return this.#input.toString('latin1', start, end);
    // The shortest code has five bits. The block is bounded, and so is this buffer.
    const needed = Math.ceil((length * 8) / 5);
    if (scratch.length < needed) scratch = Buffer.allocUnsafe(needed * 2);
    const decoded = huffmanDecode(this.#input, start, end, scratch);
    if (decoded < 0) throw compressionError('a string is not valid Huffman code');
    return scratch.toString('latin1', 0, decoded);
  }

  #nameAt(index: number): string {
    const name =
      index <= STATIC_COUNT ? STATIC_TABLE[index - 1]?.[0] : this.#table.name(index - STATIC_COUNT - 1);
    if (name === undefined) throw compressionError(`index ${index} is not in the table`);
    return name;
  }

  #valueAt(index: number): string {
    const value =
      index <= STATIC_COUNT ? STATIC_TABLE[index - 1]?.[1] : this.#table.value(index - STATIC_COUNT - 1);
    if (value === undefined) throw compressionError(`index ${index} is not in the table`);
    return value;
  }
}

function compressionError(message: string): Http2ConnectionError {
  return new Http2ConnectionError(ErrorCode.COMPRESSION_ERROR, `HPACK: ${message}`);
}

function headerBomb(listBytes: number, maxListBytes: number): Http2ConnectionError {
  return new Http2ConnectionError(
    ErrorCode.ENHANCE_YOUR_CALM,
    `a header list grew past ${listBytes} bytes when at most ${maxListBytes} are accepted`,
  );
}
