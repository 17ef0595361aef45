import type { RouteFilter } from '#shared/route/route-filter.ts';
import type { Fields } from '../decode.ts';
import { lookUpHost, type HostContext } from '../istio-host.ts';
import type { KnownService } from '../service-lookup.ts';
import { readHeaders } from './header-operations.ts';

export interface Destination {
  /** Undefined when there is no such service: its share is answered with 500. */
  readonly service: KnownService | undefined;
  /** `request`: the port the request came to. */
  readonly portFor: number | 'request';
  readonly subset: string | undefined;
  readonly weight: number;
  readonly filters: readonly RouteFilter[];
}

const MAX_WEIGHT = 1_000_000;

export function readDestination(route: Fields, context: HostContext): Destination {
  const weight = route.integer('weight', 0, MAX_WEIGHT) ?? 0;
  const filters = readHeaders(route);
  const target = route.object('destination', fields => readTarget(fields, context));
  if (target === undefined && !route.has('destination'))
    route.reject('destination', 'is required', 'set destination.host');
  return { ...(target ?? { service: undefined, portFor: 'request', subset: undefined }), weight, filters };
}

function readTarget(
  fields: Fields,
  context: HostContext,
): Pick<Destination, 'service' | 'portFor' | 'subset'> {
  const host = fields.requiredString('host');
  const subset = fields.string('subset');
  const port = fields.object('port', readPort);
  const consequence = 'its share of requests is answered with 500';
  const service = host === '' ? undefined : lookUpHost(fields, 'host', host, context, consequence);
  if (service !== undefined && port !== undefined && !service.ports.includes(port)) {
    fields.ignore(
      'port',
      `${service.hostname} has no such port: ${consequence}`,
      `use one of ${service.ports.join(', ')}`,
    );
  }
  const [onlyPort, ...others] = service?.ports ?? [];
  return { service, portFor: port ?? (others.length === 0 ? onlyPort : undefined) ?? 'request', subset };
}

function readPort(fields: Fields): number | undefined {
  const number = fields.port('number');
  if (number === undefined && !fields.has('number'))
    fields.reject('number', 'is required', 'set the number of the port');
  return number;
}
