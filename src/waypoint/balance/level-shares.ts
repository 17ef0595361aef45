/** Envoy's: a level keeps all its traffic until less than 1/1.4 of its endpoints are usable. */
const OVERPROVISIONING = 1.4;

export interface LevelHealth {
  readonly total: number;
  readonly usable: number;
}

/**
 * The share of the traffic that each level gets, nearest first, as Envoy's priority levels: what a level cannot take goes to
 * the next. Pure. @returns numbers that add up to 1, or all 0 when nothing is usable
 */
export function levelShares(levels: readonly LevelHealth[]): number[] {
  const health = levels.map(({ total, usable }) =>
    total === 0 ? 0 : Math.min(1, (OVERPROVISIONING * usable) / total),
  );
  const all = Math.min(
    1,
    health.reduce((sum, share) => sum + share, 0),
  );
  let left = all === 0 ? 0 : 1;
  return health.map(share => {
    const taken = all === 0 ? 0 : Math.min(left, share / all);
    left -= taken;
    return taken;
  });
}
