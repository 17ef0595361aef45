import type { FamilySnapshot } from '../observability/metric-set.ts';

/** The series of one metric, by their label values; of a histogram the sum of what was observed. */
export function seriesOf(families: readonly FamilySnapshot[], name: string): Record<string, number> {
  const family = families.find(f => f.name === name);
  return Object.fromEntries(
    (family?.series ?? []).map(({ labelValues, value }) => [labelValues.join(' '), value]),
  );
}
