import type { Fields } from '../decode.ts';
import type { KnownService, ServiceLookup } from '../service-lookup.ts';

/** A parent as the route writes it: by this its entry in the status is found again. */
export interface ParentRef {
  readonly group: string;
  readonly kind: string;
  /** Undefined where the route does not say, and so means its own. */
  readonly namespace: string | undefined;
  readonly name: string;
  /** Of a Service the name of a port. */
  readonly sectionName: string | undefined;
  readonly port: number | undefined;
}

/** Whether a route is attached to a Service or a ServiceEntry, in the words of the condition Accepted. */
export type ParentOutcome =
  | {
      readonly ref: ParentRef;
      readonly reason: 'Accepted';
      readonly services: readonly KnownService[];
      /** Of the services, by number or by name; undefined: every one. */
      readonly port: number | undefined;
    }
  | { readonly ref: ParentRef; readonly reason: 'NoMatchingParent'; readonly message: string };

/** The parents that are Services or ServiceEntries. One that does not exist is reported and left out; it may come later. */
export function readParentRefs(
  spec: Fields,
  routeNamespace: string,
  services: ServiceLookup,
): readonly ParentOutcome[] {
  return spec
    .objects('parentRefs', fields => readParentRef(fields, routeNamespace, services))
    .filter(outcome => outcome !== undefined);
}

function readParentRef(
  fields: Fields,
  routeNamespace: string,
  services: ServiceLookup,
): ParentOutcome | undefined {
  const ref: ParentRef = {
    group: fields.string('group') ?? 'gateway.networking.k8s.io',
    kind: fields.string('kind') ?? 'Gateway',
    namespace: fields.string('namespace'),
    name: fields.requiredString('name'),
    sectionName: fields.string('sectionName'),
    port: fields.port('port'),
  };
  const kind = meshKindOf(ref);
  if (kind === undefined) return undefined;
  const namespace = ref.namespace ?? routeNamespace;
  const shown = `${kind} ${namespace}/${ref.name}`;
  const fail = (key: string, message: string, fix: string): ParentOutcome => {
    fields.ignore(key, message, fix);
    return { ref, reason: 'NoMatchingParent', message: `${message}; ${fix}` };
  };
  const found = servicesOf(kind, namespace, ref.name, services);
  const [first] = found;
  if (first === undefined) return fail('name', `there is no ${shown}`, 'create it or correct the name');
  if (ref.port !== undefined && !first.ports.includes(ref.port))
    return fail('port', `${shown} has no such port`, `use one of ${first.ports.join(', ')}`);
  const port = ref.sectionName === undefined ? ref.port : first.portNames.get(ref.sectionName);
  if (ref.sectionName !== undefined && (port === undefined || port !== (ref.port ?? port))) {
    const what = ref.port === undefined ? 'port of this name' : `port ${ref.port} of this name`;
    return fail('sectionName', `${shown} has no ${what}`, namesFix(first));
  }
  return { ref, reason: 'Accepted', services: found, port };
}

function namesFix({ portNames, ports }: KnownService): string {
  return portNames.size > 0
    ? `use one of ${[...portNames.keys()].join(', ')}`
    : `name the port by its number in port, one of ${ports.join(', ')}`;
}

type MeshKind = 'Service' | 'ServiceEntry';

/** One, or the hosts of an entry, which have the same ports. */
function servicesOf(
  kind: MeshKind,
  namespace: string,
  name: string,
  services: ServiceLookup,
): readonly KnownService[] {
  if (kind === 'ServiceEntry') return services.serviceEntry(namespace, name) ?? [];
  const service = services.service(namespace, name);
  return service === undefined ? [] : [service];
}

/** Undefined: nothing that a waypoint serves. */
export function meshKindOf(ref: { readonly group: string; readonly kind: string }): MeshKind | undefined {
  if (isService(ref)) return 'Service';
  return ref.group === ISTIO_GROUP && ref.kind === 'ServiceEntry' ? 'ServiceEntry' : undefined;
}

export const ISTIO_GROUP = 'networking.istio.io';

/** `core` is how some write the group without a name. */
export function isService(ref: { readonly group: string; readonly kind: string }): boolean {
  return (ref.group === '' || ref.group === 'core') && ref.kind === 'Service';
}
