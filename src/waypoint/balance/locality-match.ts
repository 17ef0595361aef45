import type { Locality } from '#shared/workload/workload.ts';

/** Whether a locality is one of `<region>/<zone>/<subzone>`: parts may be missing from the right, `*` is any. Pure. */
export function matchesLocality(pattern: string, { region, zone, subzone }: Locality): boolean {
  const parts = [region, zone, subzone];
  return pattern.split('/').every((wanted, i) => wanted === '*' || wanted === parts[i]);
}
