import { hashText } from './text-hash.ts';

const OFFSET_SEED = 0x5bd1e995;
const SKIP_SEED = 0x27d4eb2f;
const FREE = 0xffffffff;
/** Thirds add up to a little less than one. */
const ONE = 1 - 1e-9;

/**
 * Google's Maglev table: each endpoint walks its own permutation of the places and takes the next free one in turn, so that
 * all get equal shares and a change moves little beside what is its own.
 *
 * @param keys of endpoints, unique
 * @param weights all above 0
 * @param size a prime, well above the number of endpoints
 * @returns for each place the index of its endpoint
 */
export function makeMaglevTable(
  keys: readonly string[],
  weights: readonly number[],
  size: number,
): Uint32Array {
  const table = new Uint32Array(size).fill(FREE);
  const count = keys.length;
  const position = new Float64Array(count);
  const skip = new Float64Array(count);
  for (const [i, key] of keys.entries()) {
    position[i] = hashText(key, OFFSET_SEED) % size;
    skip[i] = (hashText(key, SKIP_SEED) % (size - 1)) + 1;
  }
  const heaviest = weights.reduce((most, weight) => Math.max(most, weight), 0);
  // Credit in shares of the heaviest: who has a whole one takes a place.
  const credit = new Float64Array(count);
  for (let taken = 0; taken < size; ) {
    for (let i = 0; i < count && taken < size; i++) {
      credit[i] = (credit[i] ?? 0) + (weights[i] ?? 0) / heaviest;
      if ((credit[i] ?? 0) < ONE) continue;
      credit[i] = (credit[i] ?? 0) - 1;
      takeNextFree(table, position, skip, i);
      taken++;
    }
  }
  return table;
}

function takeNextFree(table: Uint32Array, position: Float64Array, skip: Float64Array, owner: number): void {
  const size = table.length;
  const step = skip[owner] ?? 1;
  let at = position[owner] ?? 0;
  while (table[at] !== FREE) at = (at + step) % size;
  table[at] = owner;
  position[owner] = (at + step) % size;
}
