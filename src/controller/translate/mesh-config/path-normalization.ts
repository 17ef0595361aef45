import { isJsonObject } from '#shared/config/json.ts';
import type { PathNormalization } from '#shared/route/path.ts';
import type { Fields } from '../decode.ts';

const KEY = 'pathNormalization';
const NORMALIZATIONS: ReadonlyMap<unknown, PathNormalization> = new Map([
  ['DEFAULT', 'base'],
  ['BASE', 'base'],
  ['MERGE_SLASHES', 'merge_slashes'],
  ['DECODE_AND_MERGE_SLASHES', 'decode_and_merge_slashes'],
]);

/** What waypoints make of paths. What is wrong does not take the rest of the configuration with it. */
export function readPathNormalization(mesh: Fields): PathNormalization {
  const fields = mesh.raw(KEY) ?? {};
  const written = isJsonObject(fields) ? (fields['normalization'] ?? 'DEFAULT') : undefined;
  const found = NORMALIZATIONS.get(written);
  if (found !== undefined) return found;
  const message =
    written === 'NONE'
      ? 'is not done: policies would compare paths that servers read in another way. They are normalized as by BASE'
      : 'is not one of the values it can have: paths are normalized as by BASE';
  mesh.ignore(KEY, message, `set normalization to one of ${[...NORMALIZATIONS.keys()].join(', ')}`);
  return 'base';
}
