/**
 * 32-bit hash of a text (MurmurHash3 over its UTF-16 units): the same in every thread and after every restart, which is
 * what consistent hashing lives on. Not for anything a peer may gain from by finding collisions.
 */
export function hashText(text: string, seed = 0): number {
  let hash = seed;
  for (let i = 0; i < text.length; i += 2) {
    const high = i + 1 < text.length ? text.charCodeAt(i + 1) << 16 : 0;
    const part = Math.imul(text.charCodeAt(i) | high, 0xcc9e2d51);
    hash ^= Math.imul((part << 15) | (part >>> 17), 0x1b873593);
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  return mix(hash ^ (text.length * 2));
}

/** Spreads every bit of a number over all 32 of another one. */
export function mix(value: number): number {
  let hash = value ^ (value >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Another number in [0, 1) from one that has been used: its lower bits, stirred. Pure, so that a choice can be repeated. */
export function stir(random: number): number {
  const upper = random * 2 ** 26;
  const lower = (upper - Math.floor(upper)) * 2 ** 27;
  return mix(Math.floor(upper) ^ Math.imul(Math.floor(lower), 0x9e3779b1)) / 2 ** 32;
}
