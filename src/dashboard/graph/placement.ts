/**
 * Pure. Places in a row, each as near as can be to where it is wanted, in the given order and with at least the given distances: the least
 * squares, by pooling neighbours that are in each other's way.
 * @param gaps between each and the next
 */
export function placeInRow(wanted: readonly number[], gaps: readonly number[]): number[] {
  const offsets = [0];
  for (const gap of gaps) offsets.push((offsets.at(-1) ?? 0) + gap);
  const pools: { sum: number; size: number }[] = [];
  const mean = (pool: { sum: number; size: number }): number => pool.sum / pool.size;
  for (const [i, at] of wanted.entries()) {
    let pool = { sum: at - (offsets[i] ?? 0), size: 1 };
    for (let last = pools.at(-1); last !== undefined && mean(last) > mean(pool); last = pools.at(-1)) {
      pool = { sum: pool.sum + last.sum, size: pool.size + last.size };
      pools.pop();
    }
    pools.push(pool);
  }
  return pools
    .flatMap(pool => Array.from({ length: pool.size }, () => mean(pool)))
    .map((at, i) => at + (offsets[i] ?? 0));
}
