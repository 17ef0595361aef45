import type { Fields } from '../decode.ts';

/**
 * Istio's `{value: 0.1}`; `percent` is the older whole number.
 *
 * @returns undefined where neither is set
 */
export function readPercentage(
  fields: Fields,
  key: string,
  olderKeys: readonly string[] = [],
): number | undefined {
  const percent = fields.object(key, percentage => {
    const value = percentage.raw('value');
    percentage.has('value');
    if (value === undefined) return 0;
    if (typeof value === 'number' && value >= 0 && value <= 100) return value;
    percentage.reject('value', 'must be a number from 0 to 100', 'change it to a number from 0 to 100');
    return 0;
  });
  const older = olderKeys.map(olderKey => fields.integer(olderKey, 0, 100));
  return percent ?? older.find(value => value !== undefined);
}
