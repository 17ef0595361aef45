import type { Fields } from '../decode.ts';

/** A service, and perhaps one of its subsets, as Consul's kinds name it. */
export interface ServiceReference {
  readonly namespace: string;
  /** Undefined: the service the object is for. */
  readonly name: string | undefined;
  readonly subset: string | undefined;
}

/** What says that a service is in another cluster. */
const ELSEWHERE = ['partition', 'peer', 'samenessGroup', 'datacenter'];

/** `service`, `serviceSubset` and `namespace`. Other clusters are not known here. */
export function readReference(fields: Fields, ownNamespace: string): ServiceReference {
  for (const key of keysElsewhere(fields, ELSEWHERE))
    fields.refused(key, 'remove it; other clusters are not known');
  return readLocal(fields, ownNamespace);
}

/** Of one that is tried last: one in another cluster is left out, and said. */
export function readFallback(fields: Fields, ownNamespace: string): ServiceReference | undefined {
  const elsewhere = keysElsewhere(fields, [...ELSEWHERE, 'datacenters']);
  for (const key of elsewhere)
    fields.ignore(key, 'is of other clusters, which are not known: no request goes there', 'remove it');
  const reference = readLocal(fields, ownNamespace);
  return elsewhere.length > 0 ? undefined : reference;
}

/** A partition `default` is what there is where there are none. */
function keysElsewhere(fields: Fields, keys: readonly string[]): readonly string[] {
  const isDefault = (key: string): boolean => key === 'partition' && fields.raw(key) === 'default';
  return keys.filter(key => fields.has(key) && fields.raw(key) !== '' && !isDefault(key));
}

function readLocal(fields: Fields, ownNamespace: string): ServiceReference {
  return {
    namespace: fields.string('namespace') ?? ownNamespace,
    name: fields.string('service'),
    subset: fields.string('serviceSubset'),
  };
}
