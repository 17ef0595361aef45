import type { RouteBackend } from '#shared/route/model.ts';
import type { RouteFilter } from '#shared/route/route-filter.ts';
import type { Fields } from '../decode.ts';
import type { KnownService } from '../service-lookup.ts';
import { isForLinkerd } from './parent-as-backend.ts';
import { isService, ISTIO_GROUP } from './parent-ref.ts';
import type { RouteContext } from './route-context.ts';

/** As Gateway API bounds it. */
const MAX_WEIGHT = 1_000_000;

/** A backend that cannot be resolved keeps its weight: its share is refused (HTTP: 500). */
export function readBackendRef(
  fields: Fields,
  context: RouteContext,
  filters: readonly RouteFilter[],
): RouteBackend {
  const weight = fields.integer('weight', 0, MAX_WEIGHT) ?? 1;
  return { weight, ...readTarget(fields, context), subset: undefined, filters };
}

/** Of a rule that answers nothing itself. */
export function sayIfNowhere(
  rule: Fields,
  backends: readonly RouteBackend[],
  { parents, route }: RouteContext,
): void {
  const leadsToParents = parents.length > 0 && parents.every(({ ref }) => isForLinkerd(route, ref));
  if (backends.length === 0 && !leadsToParents)
    rule.ignore(
      'backendRefs',
      'is empty: requests of the rule are answered with 500',
      'name the Service they go to; the parent is not meant by it',
    );
}

/** The Service a `BackendObjectReference` means, or the host that one of Istio's kind `Hostname` names. */
export function readTarget(fields: Fields, context: RouteContext): Pick<RouteBackend, 'service' | 'port'> {
  const port = fields.port('port') ?? 0;
  const ref: TargetRef = {
    group: fields.string('group') ?? '',
    kind: fields.string('kind') ?? 'Service',
    name: fields.requiredString('name'),
    namespace: fields.string('namespace'),
    port,
  };
  return { service: resolve(fields, ref, context)?.key, port };
}

interface TargetRef {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace: string | undefined;
  readonly port: number;
}

function resolve(fields: Fields, ref: TargetRef, context: RouteContext): KnownService | undefined {
  if (isService(ref)) return resolveService(fields, ref, context);
  if (ref.group === ISTIO_GROUP && ref.kind === 'Hostname') return resolveHost(fields, ref, context);
  const message = `backends of kind ${ref.kind} are not supported`;
  const fix = `use a Service, or kind Hostname of group ${ISTIO_GROUP}`;
  return context.fault(fields, 'kind', { reason: 'InvalidKind', message, fix });
}

function resolveService(fields: Fields, ref: TargetRef, context: RouteContext): KnownService | undefined {
  const namespace = ref.namespace ?? context.route.metadata.namespace;
  const shown = `Service ${namespace}/${ref.name}`;
  const service = context.objects.service(namespace, ref.name);
  const isGranted = checkGrant(fields, { namespace, name: ref.name }, service, context);
  if (service !== undefined) return withPort(fields, ref.port, service, shown, context);
  if (!isGranted) return undefined;
  const fix = 'create it or correct the name';
  return context.fault(fields, 'name', { reason: 'BackendNotFound', message: `there is no ${shown}`, fix });
}

/** As in Istio what is outside of the cluster needs no grant; a Service is not got round by its host name. */
function resolveHost(fields: Fields, ref: TargetRef, context: RouteContext): KnownService | undefined {
  if (ref.namespace !== undefined)
    fields.reject(
      'namespace',
      'has no meaning for a Hostname',
      'remove it: a host name is of the whole mesh',
    );
  const own = context.route.metadata.namespace;
  const hostname = ref.name.toLowerCase();
  const host = context.objects.serviceByHostname(hostname, own);
  if (host === undefined) {
    const message = `there is no Service or ServiceEntry of host ${hostname}`;
    const fix = 'create a ServiceEntry, or correct the name';
    return context.fault(fields, 'name', { reason: 'BackendNotFound', message, fix });
  }
  const [name = ''] = hostname.split('.');
  if (context.objects.service(host.namespace, name)?.key === host.key)
    checkGrant(fields, { namespace: host.namespace, name }, host, context);
  return withPort(fields, ref.port, host, `host ${hostname}`, context);
}

/** One that does not exist is not told apart. Only to its own parent a route may lead without a grant. */
function checkGrant(
  fields: Fields,
  to: { readonly namespace: string; readonly name: string },
  service: KnownService | undefined,
  context: RouteContext,
): boolean {
  const { objects, route } = context;
  const { kind } = route;
  const own = route.metadata.namespace;
  if (to.namespace === own || objects.isGranted({ kind, namespace: own }, to)) return true;
  const message = `Service ${to.namespace}/${to.name} may not be referred to from namespace ${own}`;
  const fix = `create a ReferenceGrant in ${to.namespace} from ${kind} of ${own} to ${to.name}`;
  context.ungranted(fields, message, { service: service?.key, fix });
  return false;
}

function withPort(
  fields: Fields,
  port: number,
  service: KnownService,
  shown: string,
  context: RouteContext,
): KnownService | undefined {
  if (service.ports.includes(port)) return service;
  const message = port === 0 ? `a ${shown.split(' ')[0]} needs a port` : `${shown} has no such port`;
  const fix = `${port === 0 ? 'set port to' : 'use'} one of ${service.ports.join(', ')}`;
  return context.fault(fields, 'port', { reason: 'BackendNotFound', message, fix });
}
