import { HpackDecoder } from '#shared/http2/hpack-decoder.ts';
import { huffmanEncode } from '#shared/http2/huffman.ts';
import type { HeaderList } from '#shared/http/headers.ts';

/** `:status: 200` of the static table. */
const INDEXED_200 = 0x88;
const PATH_INDEX = 4;
/** Fields before the last pseudo-header of a request. */
const MAX_PSEUDO_FIELDS = 8;
const MAX_LIST_BYTES = 4096;
const HUFFMAN = 0x80;

/**
 * Pseudo-headers stand first, and those that differ from request to request are in nobody's dynamic table: what is looked for here is
 * found without a decoder, which would have to read every block of the connection in full.
 */

/** Whether a header block is that of an answer with status 200: encoders have nothing shorter for it than one byte. */
export function isStatus200(block: Buffer, start: number, end: number): boolean {
  return block[skipSizeUpdates(block, start, end)] === INDEXED_200;
}

/** The status of a block for a message, as far as it can be told. */
export function describeStatus(block: Buffer, start: number, end: number): string {
  const fields: HeaderList = [];
  try {
    new HpackDecoder(MAX_LIST_BYTES).decode(block, start, end, fields);
  } catch {
    // Indices of a table that was not followed: the status stands before them.
  }
  return fields[0] === ':status' ? (fields[1] ?? '') : `a head of ${end - start} bytes without status`;
}

/** Finds `:path` among a few paths. */
export class PathFinder {
  readonly #paths: readonly PathBytes[];

  constructor(paths: readonly string[]) {
    this.#paths = paths.map(path => ({ plain: Buffer.from(path, 'latin1'), huffman: huffmanOf(path) }));
  }

  /** @returns which of the paths the block of a request names, or -1 */
  find(block: Buffer, start: number, end: number): number {
    let at = skipSizeUpdates(block, start, end);
    for (let field = 0; field < MAX_PSEUDO_FIELDS && at < end; field++) {
      const byte = block[at] ?? 0;
      if (byte >= 0x80) {
        at = skipInteger(block, at, 0x7f);
        continue;
      }
      const mask = (byte & 0x40) === 0 ? 0x0f : 0x3f;
      const valueAt = skipInteger(block, at, mask);
      // A name that is written out is none of a pseudo-header.
      if ((byte & mask) === 0) return -1;
      const bytesAt = skipInteger(block, valueAt, 0x7f);
      const valueEnd = bytesAt + integerAt(block, valueAt, 0x7f);
      if ((byte & mask) === PATH_INDEX)
        return valueEnd > end ? -1 : this.#match(block, bytesAt, valueEnd, (block[valueAt] ?? 0) >= HUFFMAN);
      at = valueEnd;
    }
    return -1;
  }

  #match(block: Buffer, start: number, end: number, isHuffman: boolean): number {
    for (let i = 0; i < this.#paths.length; i++) {
      const path = this.#paths[i];
      if (path !== undefined && isEqual(block, start, end, isHuffman ? path.huffman : path.plain)) return i;
    }
    return -1;
  }
}

interface PathBytes {
  readonly plain: Buffer;
  readonly huffman: Buffer;
}

/** As an encoder may write it, where that is shorter: no character has more than 30 bits. */
function huffmanOf(path: string): Buffer {
  const code = Buffer.alloc(path.length * 4);
  return code.subarray(0, huffmanEncode(path, code, 0));
}

function isEqual(bytes: Buffer, start: number, end: number, expected: Buffer): boolean {
  if (end - start !== expected.length) return false;
  for (let i = 0; i < expected.length; i++) if (bytes[start + i] !== expected[i]) return false;
  return true;
}

function skipSizeUpdates(block: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && ((block[at] ?? 0) & 0xe0) === 0x20) at = skipInteger(block, at, 0x1f);
  return at;
}

/** RFC 7541 §5.1. */
function skipInteger(block: Buffer, at: number, mask: number): number {
  if (((block[at] ?? 0) & mask) < mask) return at + 1;
  let next = at + 1;
  while ((block[next] ?? 0) >= 0x80) next++;
  return next + 1;
}

function integerAt(block: Buffer, at: number, mask: number): number {
  let value = (block[at] ?? 0) & mask;
  if (value < mask) return value;
  for (let next = at + 1, factor = 1; ; next++, factor *= 128) {
    const byte = block[next] ?? 0;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return value;
  }
}
