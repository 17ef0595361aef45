import type { Fields } from '../decode.ts';

/** A service, and perhaps one of its subsets, as Consul's kinds name it. */
export interface ServiceReference {
  readonly namespace: string;
  /** Undefined: the service the object is for. */
  readonly name: string | undefined;
  readonly subset: string | undefined;
}

/** `service`, `serviceSubset` and `namespace`. Other clusters are not known here. */
export function readReference(fields: Fields, ownNamespace: string): ServiceReference {
  for (const key of ['partition', 'peer', 'samenessGroup', 'datacenter'])
    fields.refused(key, 'remove it; other clusters are not known');
  return {
    namespace: fields.string('namespace') ?? ownNamespace,
    name: fields.string('service'),
    subset: fields.string('serviceSubset'),
  };
}
