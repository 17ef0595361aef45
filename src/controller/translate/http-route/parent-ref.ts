import type { Fields } from '../decode.ts';
import type { KnownService, ServiceLookup } from '../service-lookup.ts';

/** A Service a route is attached to. */
export interface ServiceParent {
  readonly service: KnownService;
  /** Undefined: every port. */
  readonly port: number | undefined;
}

/** The parents that are Services. One that does not exist is reported and left out; it may come later. */
export function readParentRefs(
  spec: Fields,
  ownNamespace: string,
  services: ServiceLookup,
): readonly ServiceParent[] {
  return spec
    .objects('parentRefs', fields => readParentRef(fields, ownNamespace, services))
    .filter(parent => parent !== undefined);
}

function readParentRef(
  fields: Fields,
  ownNamespace: string,
  services: ServiceLookup,
): ServiceParent | undefined {
  const group = fields.string('group') ?? 'gateway.networking.k8s.io';
  const kind = fields.string('kind') ?? 'Gateway';
  const name = fields.requiredString('name');
  const namespace = fields.string('namespace') ?? ownNamespace;
  const port = fields.port('port');
  const section = fields.string('sectionName');
  if ((group !== '' && group !== 'core') || kind !== 'Service') return undefined;
  if (section !== undefined)
    fields.reject('sectionName', 'has no meaning for a Service', 'name the port by its number in port');
  if (namespace !== ownNamespace) {
    fields.ignore(
      'namespace',
      'attaches to a Service of another namespace (a consumer route), which is not supported',
      `move the route to namespace ${namespace}`,
    );
    return undefined;
  }
  const service = services.service(namespace, name);
  if (service === undefined) {
    fields.ignore('name', `there is no Service ${namespace}/${name}`, 'create it or correct the name');
    return undefined;
  }
  if (port !== undefined && !service.ports.includes(port)) {
    fields.ignore(
      'port',
      `Service ${namespace}/${name} has no such port`,
      `use one of ${service.ports.join(', ')}`,
    );
    return undefined;
  }
  return { service, port };
}
