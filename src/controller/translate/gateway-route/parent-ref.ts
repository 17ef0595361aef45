import type { Fields } from '../decode.ts';
import type { KnownService, ServiceLookup } from '../service-lookup.ts';

/** A parent as the route writes it: by this its entry in the status is found again. */
export interface ParentRef {
  readonly group: string;
  readonly kind: string;
  /** Undefined where the route does not say, and so means its own. */
  readonly namespace: string | undefined;
  readonly name: string;
  readonly sectionName: string | undefined;
  readonly port: number | undefined;
}

/** Whether a route is attached to a Service, in the words of the condition Accepted. */
export type ParentOutcome =
  | { readonly ref: ParentRef; readonly reason: 'Accepted'; readonly service: KnownService }
  | { readonly ref: ParentRef; readonly reason: 'NoMatchingParent'; readonly message: string };

/** The parents that are Services. One that does not exist is reported and left out; it may come later. */
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
  if (!isService(ref)) return undefined;
  if (ref.sectionName !== undefined)
    fields.reject('sectionName', 'has no meaning for a Service', 'name the port by its number in port');
  const namespace = ref.namespace ?? routeNamespace;
  const fail = (key: string, message: string, fix: string): ParentOutcome => {
    fields.ignore(key, message, fix);
    return { ref, reason: 'NoMatchingParent', message: `${message}; ${fix}` };
  };
  const service = services.service(namespace, ref.name);
  if (service === undefined)
    return fail('name', `there is no Service ${namespace}/${ref.name}`, 'create it or correct the name');
  if (ref.port !== undefined && !service.ports.includes(ref.port)) {
    const fix = `use one of ${service.ports.join(', ')}`;
    return fail('port', `Service ${namespace}/${ref.name} has no such port`, fix);
  }
  return { ref, reason: 'Accepted', service };
}

/** `core` is how some write the group without a name. */
export function isService(ref: { readonly group: string; readonly kind: string }): boolean {
  return (ref.group === '' || ref.group === 'core') && ref.kind === 'Service';
}
