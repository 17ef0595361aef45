import { hashText, mix } from './text-hash.ts';

/** Envoy's bound. */
const MAX_RING_SIZE = 8 * 1024 * 1024;
/**
 * Points of an endpoint, by how many there are at most. Many make shares even and cost time; the same number for most sizes
 * keeps the points of all others where they are when one endpoint comes or goes.
 */
const POINTS: readonly { readonly upTo: number; readonly each: number }[] = [
  { upTo: 128, each: 1_024 },
  { upTo: 1_024, each: 128 },
  { upTo: Number.POSITIVE_INFINITY, each: 8 },
];

/** Points on a circle of 2³², in order; each belongs to an endpoint, which gets what lies before it. */
export interface HashRing {
  readonly points: Uint32Array;
  readonly owners: Uint32Array;
}

/**
 * Each endpoint gets points in proportion to its weight, the lightest at least one, all together at least `minSize` and, where
 * there are not more endpoints, at most `maxSize`. Where
 * they lie depends on the endpoint's key alone: who comes or goes moves only what is, or becomes, its own (Karger et al.).
 *
 * @param keys of endpoints, unique
 * @param weights all above 0
 */
export function makeHashRing(
  keys: readonly string[],
  weights: readonly number[],
  minSize: number,
  maxSize = MAX_RING_SIZE,
): HashRing {
  const counts = pointCounts(weights, minSize, Math.min(MAX_RING_SIZE, maxSize));
  const total = counts.reduce((sum, count) => sum + count, 0);
  // Point and owner in one number, so that one native sort orders both.
  const sorted = new Float64Array(total);
  let at = 0;
  for (const [owner, key] of keys.entries()) {
    const base = hashText(key);
    for (let i = 0; i < (counts[owner] ?? 0); i++) {
      sorted[at++] = mix(base + Math.imul(i, 0x9e3779b1)) * 2 ** 21 + owner;
    }
  }
  sorted.sort();
  const points = new Uint32Array(total);
  const owners = new Uint32Array(total);
  for (let i = 0; i < total; i++) {
    const both = sorted[i] ?? 0;
    points[i] = Math.floor(both / 2 ** 21);
    owners[i] = both % 2 ** 21;
  }
  return { points, owners };
}

/** Whole numbers, the same whoever else is there as far as can be. */
function pointCounts(weights: readonly number[], minSize: number, maxSize: number): number[] {
  const lightest = weights.reduce((least, weight) => Math.min(least, weight), Number.POSITIVE_INFINITY);
  const perUnit = pointsPerEndpoint(weights.length, minSize);
  const counts = weights.map(weight => Math.max(1, Math.round((weight / lightest) * perUnit)));
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total <= maxSize) return counts;
  return counts.map(count => Math.max(1, Math.floor((count * maxSize) / total)));
}

function pointsPerEndpoint(endpoints: number, minSize: number): number {
  const usual = POINTS.find(({ upTo }) => endpoints <= upTo)?.each ?? 1;
  return Math.max(usual, Math.ceil(Math.min(MAX_RING_SIZE, minSize) / Math.max(1, endpoints)));
}

/** The endpoint of the first point at or after `hash`, going round. Logarithmic. */
export function ownerOf(ring: HashRing, hash: number): number {
  const { owners, points } = ring;
  let low = 0;
  let high = points.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((points[middle] ?? 0) < hash) low = middle + 1;
    else high = middle;
  }
  return owners[low === points.length ? 0 : low] ?? 0;
}
