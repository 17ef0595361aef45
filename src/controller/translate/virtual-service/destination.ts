import type { RouteFilter } from '#shared/route/route-filter.ts';
import type { RouteBackend } from '#shared/route/model.ts';
import type { Fields } from '../decode.ts';
import { lookUpHost, type HostContext } from '../istio-host.ts';
import type { KnownService } from '../service-lookup.ts';
import { readHeaders } from './header-operations.ts';

/** What a `destination` names. */
export interface Target {
  /** Undefined when there is no such service. */
  readonly service: KnownService | undefined;
  /** `request`: the port the request came to. */
  readonly portFor: number | 'request';
  readonly subset: string | undefined;
}

export interface Destination extends Target {
  readonly weight: number;
  readonly filters: readonly RouteFilter[];
}

const MAX_WEIGHT = 1_000_000;
const NOWHERE: Target = { service: undefined, portFor: 'request', subset: undefined };

/** The destinations of a `route`. @param withHeaders HTTP's may change headers. */
export function readDestinations(
  fields: Fields,
  context: HostContext,
  withHeaders: boolean,
): readonly Destination[] {
  const consequence = withHeaders
    ? 'its share of requests is answered with 500'
    : 'its share of connections is closed';
  const destinations = fields.objects('route', route => {
    const weight = route.integer('weight', 0, MAX_WEIGHT) ?? 0;
    const filters = withHeaders ? readHeaders(route) : [];
    const target = route.object('destination', found => readTarget(found, context, consequence));
    if (target === undefined && !route.has('destination'))
      route.reject('destination', 'is required', 'set destination.host');
    return { ...(target ?? NOWHERE), weight, filters };
  });
  const total = destinations.reduce((sum, destination) => sum + destination.weight, 0);
  if (destinations.length > 1 && total === 0)
    fields.reject('route', 'holds several destinations and no weight', 'give each a weight');
  return destinations;
}

export function readTarget(fields: Fields, context: HostContext, consequence: string): Target {
  const host = fields.requiredString('host');
  const subset = fields.string('subset');
  const port = fields.object('port', readPort);
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

export function backendOf(
  destination: Destination,
  siblings: number,
  requestPort: number | undefined,
): RouteBackend {
  return {
    ...resolveTarget(destination, requestPort),
    // A destination alone takes everything, whatever its weight says.
    weight: siblings === 1 ? 1 : destination.weight,
    filters: destination.filters,
  };
}

/** @param requestPort for a target that follows it. */
export function resolveTarget(
  { portFor, service, subset }: Target,
  requestPort: number | undefined,
): Pick<RouteBackend, 'service' | 'port' | 'subset'> {
  const port = portFor === 'request' ? (requestPort ?? 0) : portFor;
  const exists = service?.ports.includes(port) === true;
  return { service: exists ? service.key : undefined, port, subset };
}
