import { CliError } from '../cli-error.ts';
import { unknownName } from '../unknown-name.ts';
import type { DumpedService } from '../config-dump.ts';
import { isJsonObject } from '#shared/config/json.ts';
import { children, text, texts } from '#shared/config/json-fields.ts';
import { ATTACHMENT_DENIED } from '#shared/workload/waypoint.ts';
import type { Description, Fact } from './description.ts';
import { clientHop, serverHops, shortName, waypointHop } from './hops.ts';
import { MAX_PODS, type MeshFacts, serviceKey, type Wanted } from './mesh-facts.ts';

/** The service and its endpoints. @throws CliError that names what is near */
export function chooseService(target: string): (all: Wanted) => Wanted {
  return ({ workloads, services }) => {
    const service = services.find(s => `${s.namespace}/${s.name}` === target || serviceKey(s) === target);
    if (service === undefined) throw new CliError(unknownName('service', target, services));
    const key = serviceKey(service);
    return { services: [service], workloads: workloads.filter(w => w.serviceNames.includes(key)) };
  };
}

/** Pure. */
export function describeService(target: string, facts: MeshFacts): Description {
  const { workloads, services } = chooseService(target)(facts);
  const [service] = services;
  if (service === undefined) throw new CliError(`no service ${target}`);
  const healthy = workloads.filter(w => w.status === 'healthy').length;
  const outside = workloads.filter(w => w.protocol !== 'HBONE').length;
  const warnings: string[] = [];
  const found = foundEndpoints(service, facts);
  if (healthy === 0 && found === undefined)
    warnings.push('it has no healthy endpoint: connections to it are refused');
  if (outside > 0)
    warnings.push(`${outside} of its endpoints are outside the mesh: what reaches them is plaintext`);
  if (workloads.length > MAX_PODS)
    warnings.push(`only the first ${MAX_PODS} endpoints of a node were asked about`);
  const waypoint = facts.waypoints.get(service.waypoint);
  if (service.waypoint.includes(`${ATTACHMENT_DENIED}.`))
    warnings.push(
      `waypoint ${shortName(service.waypoint)} does not allow namespace ${service.namespace}: connections are refused; set allowedRoutes of its Gateway, or change the label`,
    );
  else if (service.waypoint !== 'None' && (waypoint?.readyPods ?? 0) === 0)
    warnings.push(
      `waypoint ${shortName(service.waypoint)} has no ready pod: connections are refused; see: ambientctl waypoint list`,
    );
  return {
    title: `Service ${service.namespace}/${service.name}`,
    facts: [
      { name: 'host name', value: service.hostname },
      { name: 'addresses', value: service.vips.join(', ') || 'none (headless)' },
      { name: 'ports', value: portsOf(service) },
      ...visibilityFacts(service),
      { name: 'endpoints', value: found ?? `${healthy}/${workloads.length} healthy` },
      waypointFact(service),
    ],
    hopsTitle: 'What a connection to it passes',
    hops: [
      clientHop(
        service.waypoint === 'None'
          ? 'HBONE to an endpoint'
          : `HBONE to waypoint ${shortName(service.waypoint)}`,
      ),
      ...[waypointHop(service, facts)].flatMap(hop => hop ?? []),
      ...serverHops(workloads, facts),
    ],
    warnings,
  };
}

/** Of a service whose endpoints nobody lists: how they are found. */
function foundEndpoints(service: DumpedService, facts: MeshFacts): string | undefined {
  const waypoint = facts.waypoints.get(service.waypoint);
  const key = serviceKey(service);
  const loadBalancing = service.raw['loadBalancing'];
  if (isJsonObject(loadBalancing) && text(loadBalancing, 'mode') === 'passthrough')
    return 'the address that the client dials';
  if (waypoint?.routes.get(key)?.['endpointsByHost'] !== true) return undefined;
  const names = waypoint.endpoints.get(key) ?? [];
  const more = names.length > MAX_HOSTS ? ` and ${names.length - MAX_HOSTS} more` : '';
  const known = names.slice(0, MAX_HOSTS).join(', ') || 'none';
  return `found by the waypoint for each host that is asked for; known now: ${known}${more}`;
}

/** So many are named. */
const MAX_HOSTS = 5;

function waypointFact({ waypoint, weightedWaypoints }: DumpedService): Fact {
  if (waypoint === 'None') return { name: 'waypoint', value: 'none' };
  const total = weightedWaypoints.reduce((sum, { weight }) => sum + weight, 0);
  const canaries = weightedWaypoints.flatMap(one =>
    one.waypoint === waypoint || total === 0
      ? []
      : [
          `; canary ${shortName(one.waypoint)} gets ${Math.round((100 * one.weight) / total)}% of connections`,
        ],
  );
  return { name: 'waypoint', value: shortName(waypoint) + canaries.join('') };
}

/** Of a service that is known everywhere nothing is said. */
function visibilityFacts({ namespace, raw }: DumpedService): Fact[] {
  if (text(raw, 'visibility') === 'namespace') return [{ name: 'known in', value: namespace }];
  const namespaces = texts(raw, 'visibility');
  if (namespaces.length === 0) return [];
  return [{ name: 'known in', value: namespaces.filter(one => one !== '~').join(', ') || 'no namespace' }];
}

function portsOf({ raw }: DumpedService): string {
  const ports = children(raw, 'ports').map(p => {
    const [from, to] = [text(p, 'servicePort'), text(p, 'targetPort')];
    return to === '' || to === from ? from : `${from} → ${to}`;
  });
  return ports.join(', ') || 'none';
}
