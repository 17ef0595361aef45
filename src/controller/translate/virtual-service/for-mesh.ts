import type { KubeObject } from '../../source/kube-object.ts';
import type { Fields } from '../decode.ts';
import { objectAt, objectsAt, textsAt } from '../loose-fields.ts';

/** Without `gateways` something is for the mesh; with them only when `mesh` is one. */
function includeMesh(gateways: readonly string[]): boolean {
  return gateways.length === 0 || gateways.includes('mesh');
}

function isForMesh(fields: unknown): boolean {
  return includeMesh(textsAt(objectAt(fields), 'gateways'));
}

/** Whether all of a VirtualService is for gateways: an ingress, mostly, whose business the rest of it is. */
export function isForGatewaysAlone({ spec }: KubeObject): boolean {
  return !isForMesh(spec);
}

/** Whether a match is for gateways alone: then it is left to them, whatever is in it. */
export function isLeftToGateways(match: Fields): boolean {
  if (includeMesh(match.strings('gateways'))) return false;
  match.leave();
  return true;
}

/** The entries of a list, without those all of whose matches are for gateways: what is in these is nobody's business here. */
export function entriesForMesh<T>(
  spec: Fields,
  key: 'http' | 'tls' | 'tcp',
  read: (fields: Fields, index: number) => T,
): readonly T[] {
  const entries: T[] = [];
  spec.objects(key, (fields, index) => {
    const matches = objectsAt({ match: fields.raw('match') }, 'match');
    if (matches.length > 0 && !matches.some(isForMesh)) fields.leave();
    else entries.push(read(fields, index));
  });
  return entries;
}
