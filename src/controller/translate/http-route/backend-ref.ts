import type { RouteBackend } from '#shared/route/model.ts';
import type { Fields } from '../decode.ts';
import type { KnownService } from '../service-lookup.ts';
import { readBackendFilters } from './filter.ts';
import type { RuleContext } from './rule.ts';

/** As Gateway API bounds it. */
const MAX_WEIGHT = 1_000_000;

/** A backend that cannot be resolved keeps its weight: its share of requests is answered with 500 (Gateway API). */
export function readBackendRef(fields: Fields, context: RuleContext): RouteBackend {
  const weight = fields.integer('weight', 0, MAX_WEIGHT) ?? 1;
  const port = fields.port('port') ?? 0;
  const service = resolve(fields, port, context);
  return { weight, service: service?.key, port, subset: undefined, filters: readBackendFilters(fields) };
}

function resolve(fields: Fields, port: number, context: RuleContext): KnownService | undefined {
  const group = fields.string('group') ?? '';
  const kind = fields.string('kind') ?? 'Service';
  const name = fields.requiredString('name');
  const ownNamespace = context.route.metadata.namespace;
  const namespace = fields.string('namespace') ?? ownNamespace;
  const fail = (key: string, message: string, fix: string): undefined => {
    fields.ignore(key, `${message}: its share of requests is answered with 500`, fix);
    context.unresolved.push(fields.at(key));
  };
  if ((group !== '' && group !== 'core') || kind !== 'Service') {
    return fail('kind', `backends of kind ${kind} are not supported`, 'use a Service');
  }
  if (namespace !== ownNamespace) {
    return fail(
      'namespace',
      `a backend in another namespace needs a ReferenceGrant there, a kind this mesh does not know yet`,
      `use a Service of namespace ${ownNamespace}`,
    );
  }
  const service = context.services.service(namespace, name);
  if (service === undefined)
    return fail('name', `there is no Service ${namespace}/${name}`, 'create it or correct the name');
  if (port === 0)
    return fail('port', 'a Service needs a port', `set port to one of ${service.ports.join(', ')}`);
  if (!service.ports.includes(port)) {
    return fail(
      'port',
      `Service ${namespace}/${name} has no such port`,
      `use one of ${service.ports.join(', ')}`,
    );
  }
  return service;
}
