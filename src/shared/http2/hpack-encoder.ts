import { EncoderTable } from './encoder-table.ts';
import { INDEXING_EXCEPTIONS } from './field-indexing.ts';
import { huffmanBits, huffmanEncode } from './huffman.ts';
import { STATIC_NAMES } from './static-table.ts';

const DEFAULT_TABLE_BYTES = 4096;
/** First bytes and integer prefixes of the representations (RFC 7541 §6). */
const INDEXED = 0x80;
const LITERAL_INDEXED = 0x40;
const SIZE_UPDATE = 0x20;
const LITERAL_NEVER = 0x10;
const LITERAL_PLAIN = 0x00;
/** Most that one integer takes. */
const INTEGER_BYTES = 6;
const SPACE = 0x20;

const KEEP_BYTES = 4096;
/** Shared by all encoders of the thread: what one has filled is written before another is asked. */
let out: Buffer = Buffer.allocUnsafe(KEEP_BYTES);
const shared = out;
/** Of `shared`, by length: a view costs more than the block it shows. */
const views: (Buffer | undefined)[] = [];

function viewOf(length: number): Buffer {
  if (out === shared) return (views[length] ??= shared.subarray(0, length));
  // A large block: its memory is not kept.
  const view = out.subarray(0, length);
  out = shared;
  return view;
}

/** Encodes header blocks in the order sent (RFC 7541). One per connection. */
export class HpackEncoder {
  readonly #table = new EncoderTable(DEFAULT_TABLE_BYTES);
  readonly #maxTableBytes: number;
  /** Smallest and last table size since the last block (RFC 7541 §4.2); -1 when nothing is to be announced. */
  #smallestResize = -1;
  #lastResize = -1;
  #at = 0;

  /** `maxTableBytes`: what we use at most of the table the peer offers. */
  constructor(maxTableBytes: number) {
    this.#maxTableBytes = maxTableBytes;
    if (maxTableBytes < DEFAULT_TABLE_BYTES) this.setPeerTableLimit(DEFAULT_TABLE_BYTES);
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. The change is announced at the start of the next block. */
  setPeerTableLimit(peerBytes: number): void {
    const maxBytes = Math.min(peerBytes, this.#maxTableBytes);
    if (maxBytes === this.#table.maxBytes && this.#lastResize < 0) return;
    this.#table.resize(maxBytes);
    if (this.#smallestResize < 0 || maxBytes < this.#smallestResize) this.#smallestResize = maxBytes;
    this.#lastResize = maxBytes;
  }

  /**
   * Encodes a flat list of names (lower case) and values (Latin-1; a character that may not stand in a field value
   * becomes a space, so that no value can break out of its line further on).
   * @returns a view of a buffer that the next call, of any encoder of the thread, overwrites; its first `headroom` bytes are left for a frame header.
   */
  encode(fields: readonly string[], headroom = 0): Buffer {
    this.#at = headroom;
    this.#announceResize();
    for (let i = 0; i + 1 < fields.length; i += 2) this.#field(fields[i] ?? '', fields[i + 1] ?? '');
    return viewOf(this.#at);
  }

  #announceResize(): void {
    if (this.#lastResize < 0) return;
    this.#reserve(2 * INTEGER_BYTES);
    if (this.#smallestResize < this.#lastResize) this.#integer(SIZE_UPDATE, 0x1f, this.#smallestResize);
    this.#integer(SIZE_UPDATE, 0x1f, this.#lastResize);
    this.#smallestResize = -1;
    this.#lastResize = -1;
  }

  #field(name: string, value: string): void {
    // Huffman code is only taken where it is shorter, so that no string grows.
    this.#reserve(name.length + value.length + 3 * INTEGER_BYTES);
    const known = STATIC_NAMES.get(name);
    const indexing = INDEXING_EXCEPTIONS.get(name) ?? 'index';
    if (indexing !== 'never') {
      const index = this.#find(name, value);
      if (index > 0) return this.#integer(INDEXED, 0x7f, index);
    }
    const nameIndex = known?.firstIndex ?? this.#table.findName(name);
    if (indexing === 'never') this.#integer(LITERAL_NEVER, 0x0f, nameIndex);
    else if (indexing === 'plain' || !this.#table.fits(name, value))
      this.#integer(LITERAL_PLAIN, 0x0f, nameIndex);
    else {
      this.#integer(LITERAL_INDEXED, 0x3f, nameIndex);
      this.#table.add(name, value);
    }
    if (nameIndex === 0) this.#string(name);
    // A value that comes once is not worth its code, which would be made here and read there with each message.
    if (indexing === 'index') this.#string(value);
    else this.#plainString(value);
  }

  #find(name: string, value: string): number {
    const known = STATIC_NAMES.get(name);
    if (known !== undefined) {
      const row = known.values.indexOf(value);
      if (row >= 0) return known.firstIndex + row;
    }
    return this.#table.find(name, value);
  }

  #string(text: string): void {
    let bits = 0;
    for (let i = 0; i < text.length; i++) bits += huffmanBits(text.charCodeAt(i));
    const huffmanBytes = (bits + 7) >>> 3;
    if (huffmanBytes < text.length && isClean(text)) {
      this.#integer(0x80, 0x7f, huffmanBytes);
      this.#at = huffmanEncode(text, out, this.#at);
      return;
    }
    this.#plainString(text);
  }

  #plainString(text: string): void {
    this.#integer(0x00, 0x7f, text.length);
    for (let i = 0; i < text.length; i++) out[this.#at++] = cleanCharacter(text.charCodeAt(i));
  }

  /** RFC 7541 §5.1. */
  #integer(pattern: number, mask: number, value: number): void {
    if (value < mask) {
      out[this.#at++] = pattern | value;
      return;
    }
    out[this.#at++] = pattern | mask;
    let rest = value - mask;
    for (; rest >= 0x80; rest >>>= 7) out[this.#at++] = 0x80 | (rest & 0x7f);
    out[this.#at++] = rest;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= out.length) return;
    const grown = Buffer.allocUnsafe((this.#at + bytes) * 2);
    out.copy(grown, 0, 0, this.#at);
    out = grown;
  }
}

function cleanCharacter(code: number): number {
  return code > 0xff || code === 0x00 || code === 0x0a || code === 0x0d ? SPACE : code;
}

function isClean(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (cleanCharacter(code) !== code) return false;
  }
  return true;
}
