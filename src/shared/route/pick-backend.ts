import type { RouteBackend } from './model.ts';

/**
 * Chooses a backend with a probability of exactly its share of the weights. Pure: `random` is in [0, 1).
 * @returns undefined when there is none with a weight: Gateway API answers such a rule with 500.
 */
export function pickBackend(backends: readonly RouteBackend[], random: number): RouteBackend | undefined {
  const [only] = backends;
  if (backends.length === 1) return only !== undefined && only.weight > 0 ? only : undefined;
  let total = 0;
  for (const backend of backends) total += backend.weight;
  // An integer draw: with floats, sums of shares could leave a gap at either end.
  let left = Math.floor(random * total);
  for (const backend of backends) {
    left -= backend.weight;
    if (left < 0) return backend;
  }
  return undefined;
}
