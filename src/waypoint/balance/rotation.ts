/** More than this and exact proportions give way to a bounded memory. */
const MAX_LENGTH = 4096;

/**
 * The order a round robin goes round in: every index as often as its weight says, spread as evenly as can be (smooth
 * weighted round robin). Equal weights give each index once.
 */
export function makeRotation(weights: readonly number[]): Uint32Array {
  if (weights.every(weight => weight === weights[0])) return Uint32Array.from(weights.keys());
  const shares = smallShares(weights);
  const total = shares.reduce((sum, share) => sum + share, 0);
  const rotation = new Uint32Array(total);
  const credit = shares.map(() => 0);
  for (let turn = 0; turn < total; turn++) {
    let best = 0;
    for (let i = 0; i < shares.length; i++) {
      credit[i] = (credit[i] ?? 0) + (shares[i] ?? 0);
      if ((credit[i] ?? 0) > (credit[best] ?? 0)) best = i;
    }
    credit[best] = (credit[best] ?? 0) - total;
    rotation[turn] = best;
  }
  return rotation;
}

/** Whole numbers in the same proportion, as small as can be. */
function smallShares(weights: readonly number[]): number[] {
  const divisor = weights.reduce(greatestCommonDivisor, 0);
  const shares = weights.map(weight => (divisor === 0 ? 1 : Math.round(weight / divisor)));
  const total = shares.reduce((sum, share) => sum + share, 0);
  if (total <= MAX_LENGTH) return shares;
  const room = Math.max(MAX_LENGTH, weights.length);
  return shares.map(share => Math.max(1, Math.floor((share * room) / total)));
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
