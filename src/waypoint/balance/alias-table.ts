import { mix } from './text-hash.ts';

/** Draws an index with a probability in proportion to its weight, in constant time (Walker's alias method). */
export interface AliasTable {
  readonly size: number;
  /** Share of each column that belongs to its own index; undefined when all weights are equal. */
  readonly keep: Float64Array | undefined;
  /** Whom the rest of a column belongs to. */
  readonly alias: Uint32Array;
}

/** @param weights all above 0. */
export function makeAliasTable(weights: readonly number[]): AliasTable {
  const size = weights.length;
  const alias = new Uint32Array(size);
  if (weights.every(weight => weight === weights[0])) return { size, keep: undefined, alias };
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const scaled = weights.map(weight => (weight * size) / total);
  const keep = new Float64Array(size).fill(1);
  const small: number[] = [];
  const large: number[] = [];
  scaled.forEach((share, i) => (share < 1 ? small : large).push(i));
  while (small.length > 0 && large.length > 0) {
    const poor = small.pop() ?? 0;
    const rich = large.pop() ?? 0;
    keep[poor] = scaled[poor] ?? 1;
    alias[poor] = rich;
    const left = (scaled[rich] ?? 0) - (1 - (scaled[poor] ?? 0));
    scaled[rich] = left;
    (left < 1 ? small : large).push(rich);
  }
  return { size, keep, alias };
}

/** @param random in [0, 1). */
export function drawIndex(table: AliasTable, random: number): number {
  const position = random * table.size;
  const column = Math.min(Math.floor(position), table.size - 1);
  if (table.keep === undefined || position - column < (table.keep[column] ?? 1)) return column;
  return table.alias[column] ?? column;
}

/** @param hash at random below 2^30 */
export function drawHashed(table: AliasTable, hash: number): number {
  const column = hash % table.size;
  if (table.keep === undefined || mix(hash) / 2 ** 32 < (table.keep[column] ?? 1)) return column;
  return table.alias[column] ?? column;
}
