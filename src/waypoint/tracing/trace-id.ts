const BYTE_TEXT = Array.from({ length: 65_536 }, (_, value) => value.toString(16).padStart(4, '0'));

/** 32 hexadecimal digits, not all zero. @param random gives numbers in [0, 1) */
export function makeTraceId(random: () => number): string {
  return digits8(random) + digits8(random) + makeSpanId(random);
}

/** 16 hexadecimal digits; the last of them is 1, as the specification forbids an id of zeros. */
export function makeSpanId(random: () => number): string {
  return `${digits8(random)}${digits8(random).slice(1)}1`;
}

function digits8(random: () => number): string {
  const value = (random() * 4_294_967_296) >>> 0;
  return (BYTE_TEXT[value >>> 16] ?? '') + (BYTE_TEXT[value & 0xffff] ?? '');
}
