import type { SlowStart } from '#shared/route/traffic-policy.ts';

/**
 * Share of its weight that an endpoint gets at this age, 0 to 1, as Envoy: it grows with time, `aggression` above 1 faster at
 * first, and never falls below the minimum. Pure.
 */
export function warmShare(slowStart: SlowStart, ageMs: number): number {
  if (ageMs >= slowStart.windowMs) return 1;
  const least = slowStart.minWeightPercent / 100;
  const grown = (Math.max(0, ageMs) / slowStart.windowMs) ** (1 / slowStart.aggression);
  return Math.max(least, grown);
}
