/**
 * The Huffman code of HPACK (RFC 7541 Appendix B). It is canonical: codes of one length are consecutive, in order of the
 * symbol, so that the lengths alone define it.
 */
// biome-ignore format: sixteen symbols a row
const CODE_BITS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
  28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
  5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
  6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
  24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
  21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
  26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30, // EOS
];

const EOS = 256;
const LENGTHS = Uint8Array.from(CODE_BITS);
const CODES = canonicalCodes(CODE_BITS);

/** Bits that `charCode` (0 to 255) takes. */
export function huffmanBits(charCode: number): number {
  return LENGTHS[charCode] ?? 0;
}

/** Writes the code of each Latin-1 character of `text` at `offset`, padded with ones. @returns the offset behind it. */
export function huffmanEncode(text: string, out: Buffer, offset: number): number {
  let at = offset;
  let held = 0;
  let heldBits = 0;
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i);
    const bits = LENGTHS[symbol] ?? 0;
    const code = CODES[symbol] ?? 0;
    // At most 7 bits are held, and a code has up to 30: in two steps, so as to stay within 32-bit arithmetic.
    if (bits > 24) {
      const low = bits - 16;
      held = (held << 16) | (code >>> low);
      heldBits += 16;
      while (heldBits >= 8) out[at++] = held >>> (heldBits -= 8);
      held = (held << low) | (code & ((1 << low) - 1));
      heldBits += low;
    } else {
      held = (held << bits) | code;
      heldBits += bits;
    }
    while (heldBits >= 8) out[at++] = held >>> (heldBits -= 8);
    held &= 0xff;
  }
  if (heldBits > 0) out[at++] = (held << (8 - heldBits)) | (0xff >>> heldBits);
  return at;
}

// === decoding: a machine that takes four bits a step (no code is shorter than five, so a step ends at most one) ===

const EMITS = 0x1_0000;
const FAILS = 0x2_0000;
const { transitions: TRANSITIONS, accepting: ACCEPTING } = buildMachine();

/**
 * Decodes `input[start, end)` into `out`, which must hold 8/5 of its length.
 * @returns the number of bytes written, or -1 when the text holds EOS or its padding is not up to seven ones.
 */
export function huffmanDecode(input: Buffer, start: number, end: number, out: Buffer): number {
  let at = 0;
  let state = 0;
  for (let i = start; i < end; i++) {
    const byte = input[i] ?? 0;
    const high = TRANSITIONS[(state << 4) | (byte >>> 4)] ?? FAILS;
    if (high >= FAILS) return -1;
    if (high >= EMITS) out[at++] = (high >>> 8) & 0xff;
    const low = TRANSITIONS[((high & 0xff) << 4) | (byte & 0x0f)] ?? FAILS;
    if (low >= FAILS) return -1;
    if (low >= EMITS) out[at++] = (low >>> 8) & 0xff;
    state = low & 0xff;
  }
  return ACCEPTING[state] === 1 ? at : -1;
}

function canonicalCodes(lengths: readonly number[]): Uint32Array {
  const codes = new Uint32Array(lengths.length);
  let next = 0;
  for (let bits = 1; bits <= 30; bits++) {
    next *= 2;
    for (const [symbol, length] of lengths.entries()) if (length === bits) codes[symbol] = next++;
  }
  return codes;
}

/** Inner nodes of the code's tree, numbered from the root; a negative child is the leaf of symbol `-1 - child`. */
function buildTree(): number[][] {
  const tree: number[][] = [[]];
  for (const [symbol, length] of CODE_BITS.entries()) {
    let node = 0;
    const code = CODES[symbol] ?? 0;
    for (let bit = length - 1; bit > 0; bit--) {
      const side = (code >>> bit) & 1;
      const children = tree[node] ?? [];
      children[side] ??= tree.push([]) - 1;
      node = children[side];
    }
    const children = tree[node] ?? [];
    children[code & 1] = -1 - symbol;
  }
  return tree;
}

function buildMachine(): { transitions: Uint32Array; accepting: Uint8Array } {
  const tree = buildTree();
  const transitions = new Uint32Array(tree.length * 16);
  for (let state = 0; state < tree.length; state++) {
    for (let nibble = 0; nibble < 16; nibble++) transitions[state * 16 + nibble] = walk(tree, state, nibble);
  }
  const accepting = new Uint8Array(tree.length);
  let node = 0;
  for (let depth = 0; depth <= 7; depth++) {
    accepting[node] = 1;
    node = tree[node]?.[1] ?? 0;
  }
  return { transitions, accepting };
}

function walk(tree: readonly (readonly number[])[], from: number, nibble: number): number {
  let node = from;
  let emitted = 0;
  for (let bit = 3; bit >= 0; bit--) {
    const next = tree[node]?.[(nibble >>> bit) & 1] ?? 0;
    if (next >= 0) {
      node = next;
      continue;
    }
    const symbol = -1 - next;
    if (symbol === EOS) return FAILS;
    emitted = EMITS | (symbol << 8);
    node = 0;
  }
  return emitted | node;
}
