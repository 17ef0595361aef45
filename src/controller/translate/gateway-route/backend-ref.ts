import type { RouteBackend } from '#shared/route/model.ts';
import type { RouteFilter } from '#shared/route/route-filter.ts';
import type { Fields } from '../decode.ts';
import type { KnownService } from '../service-lookup.ts';
import { isService } from './parent-ref.ts';
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

/** Of a rule that answers nothing itself. Linkerd would send its requests to the parent; Gateway API has no such rule. */
export function sayIfNowhere(rule: Fields, backends: readonly RouteBackend[]): void {
  if (backends.length === 0)
    rule.ignore(
      'backendRefs',
      'is empty: requests of the rule are answered with 500',
      'name the Service they go to; the parent is not meant by it',
    );
}

/** The Service a `BackendObjectReference` means. */
export function readTarget(fields: Fields, context: RouteContext): Pick<RouteBackend, 'service' | 'port'> {
  const port = fields.port('port') ?? 0;
  return { service: resolve(fields, port, context)?.key, port };
}

function resolve(fields: Fields, port: number, context: RouteContext): KnownService | undefined {
  const group = fields.string('group') ?? '';
  const kind = fields.string('kind') ?? 'Service';
  const name = fields.requiredString('name');
  const routeNamespace = context.route.metadata.namespace;
  const namespace = fields.string('namespace') ?? routeNamespace;
  const shown = `Service ${namespace}/${name}`;
  if (!isService({ group, kind })) {
    const message = `backends of kind ${kind} are not supported`;
    return context.fault(fields, 'kind', { reason: 'InvalidKind', message, fix: 'use a Service' });
  }
  const isGranted =
    namespace === routeNamespace ||
    context.objects.isGranted({ kind: context.kind, namespace: routeNamespace }, { namespace, name });
  const service = context.objects.service(namespace, name);
  if (!isGranted) {
    // One that does not exist is not told apart. Only to its own parent a route may lead without a grant.
    context.ungranted(fields, `${shown} may not be referred to from namespace ${routeNamespace}`, {
      service: service?.key,
      fix: `create a ReferenceGrant in ${namespace} from ${context.kind} of ${routeNamespace} to ${name}`,
    });
  }
  if (service === undefined) {
    if (!isGranted) return undefined;
    const fix = 'create it or correct the name';
    return context.fault(fields, 'name', { reason: 'BackendNotFound', message: `there is no ${shown}`, fix });
  }
  if (service.ports.includes(port)) return service;
  const message = port === 0 ? 'a Service needs a port' : `${shown} has no such port`;
  const fix = `${port === 0 ? 'set port to' : 'use'} one of ${service.ports.join(', ')}`;
  return context.fault(fields, 'port', { reason: 'BackendNotFound', message, fix });
}
