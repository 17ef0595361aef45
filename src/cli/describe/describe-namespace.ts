import { CliError } from '../cli-error.ts';
import { type ApiFacts, namespaceLabels } from './api-facts.ts';
import type { Description } from './description.ts';
import { serverHops, shortName } from './hops.ts';
import { MAX_PODS, type MeshFacts, serviceKey, type Wanted } from './mesh-facts.ts';

export function chooseNamespace(name: string): (all: Wanted) => Wanted {
  return ({ workloads, services }) => {
    const chosen = {
      workloads: workloads.filter(w => w.namespace === name),
      services: services.filter(s => s.namespace === name),
    };
    if (chosen.workloads.length === 0 && chosen.services.length === 0)
      throw new CliError(
        `the ztunnels know nothing of a namespace ${JSON.stringify(name)}; they know ${[...new Set(workloads.map(w => w.namespace))].sort().join(', ') || 'none'}`,
      );
    return chosen;
  };
}

/** Pure. Its hops are the policies of its pods: those that have the same ones together. */
export function describeNamespace(name: string, facts: MeshFacts, api: ApiFacts | undefined): Description {
  const { workloads, services } = chooseNamespace(name)(facts);
  const object = api?.namespaces.find(n => n.name === name);
  // A waypoint is no destination of its own.
  const pods = workloads.filter(w => !w.serviceNames.some(service => facts.waypoints.has(service)));
  const captured = pods.filter(w => w.protocol === 'HBONE').length;
  const waypoints = new Map<string, string[]>();
  for (const s of services.filter(s => !facts.waypoints.has(serviceKey(s))))
    waypoints.set(s.waypoint, [...(waypoints.get(s.waypoint) ?? []), s.name]);
  const [warnings, outside]: [string[], number] = [[], pods.length - captured];
  if (captured > 0 && outside > 0)
    warnings.push(
      `${outside} of its pods are outside the mesh: ambientctl ztunnel-config workloads -n ${name}`,
    );
  if (pods.length > MAX_PODS) warnings.push(`only the first ${MAX_PODS} pods of a node were asked about`);
  return {
    title: `Namespace ${name}`,
    facts: [
      ...(object === undefined ? [] : namespaceLabels(object)),
      { name: 'captured', value: `${captured}/${pods.length} pods` },
      ...[...waypoints].map(([waypoint, names]) => ({
        name: waypoint === 'None' ? 'no waypoint' : `waypoint ${shortName(waypoint)}`,
        value: `for services ${names.sort().join(', ')}`,
      })),
    ],
    hopsTitle: 'What holds for its pods',
    hops: serverHops(pods, facts),
    warnings,
  };
}
