import { CliError } from '../cli-error.ts';
import { unknownName } from '../unknown-name.ts';
import type { DumpedWorkload } from '../config-dump.ts';
import { type ApiFacts, captureFact } from './api-facts.ts';
import type { Description, Fact } from './description.ts';
import { clientHop, serverHops, shortName, waypointHop } from './hops.ts';
import { type MeshFacts, serviceKey, type Wanted } from './mesh-facts.ts';

/** The pod and the services it is an endpoint of. @throws CliError that names what is near */
export function choosePod(target: string): (all: Wanted) => Wanted {
  return ({ workloads, services }) => {
    const pod = workloads.find(w => `${w.namespace}/${w.name}` === target);
    if (pod === undefined) throw new CliError(unknownName('pod', target, workloads));
    return { workloads: [pod], services: services.filter(s => pod.serviceNames.includes(serviceKey(s))) };
  };
}

/** Pure. */
export function describePod(target: string, facts: MeshFacts, api: ApiFacts | undefined): Description {
  const { workloads, services } = choosePod(target)(facts);
  const [pod] = workloads;
  if (pod === undefined) throw new CliError(`no pod ${target}`);
  const inMesh = pod.protocol === 'HBONE';
  const behind = services.filter(s => s.waypoint !== 'None');
  return {
    title: `Pod ${target}`,
    facts: podFacts(pod, facts, api),
    hopsTitle: 'What a connection to it passes',
    hops: [
      clientHop(
        wayTo(
          pod,
          behind.map(s => s.name),
        ),
      ),
      ...behind.flatMap(service => waypointHop(service, facts) ?? []),
      ...serverHops([pod], facts),
    ],
    warnings: inMesh
      ? podWarnings(pod, behind.length > 0)
      : [`it is outside the mesh: no policy of its own is enforced, and what reaches it is plaintext`],
  };
}

function wayTo(pod: DumpedWorkload, behind: readonly string[]): string {
  if (pod.protocol !== 'HBONE') return 'plaintext to the pod: it is outside the mesh';
  if (pod.waypoint !== 'None') return `HBONE to waypoint ${shortName(pod.waypoint)}, by the pod's own label`;
  return behind.length === 0
    ? 'HBONE to the pod'
    : `HBONE to the waypoint for service ${behind.join(', ')}; to the pod's own address directly`;
}

function podFacts(pod: DumpedWorkload, facts: MeshFacts, api: ApiFacts | undefined): Fact[] {
  const object = api?.pods.find(p => p.name === pod.name && p.namespace === pod.namespace);
  const namespace = api?.namespaces.find(n => n.name === pod.namespace);
  const mesh = pod.protocol === 'HBONE' ? 'captured' : 'not captured';
  return [
    { name: 'node', value: pod.node || '-' },
    { name: 'addresses', value: pod.addresses.join(', ') || '-' },
    { name: 'workload', value: pod.workloadName || '-' },
    { name: 'health', value: pod.status },
    object === undefined ? { name: 'mesh', value: mesh } : captureFact(object, namespace),
    ...dnsFact(pod, facts),
    { name: 'identity', value: pod.identity },
    ...(pod.protocol === 'HBONE' ? [certificateFact(pod, facts)] : []),
    { name: 'services', value: pod.serviceNames.map(shortName).join(', ') || 'none' },
  ];
}

function dnsFact({ name, namespace, node }: DumpedWorkload, { ztunnels }: MeshFacts): Fact[] {
  const captured = ztunnels.get(node)?.dns.get(`${namespace}/${name}`);
  if (captured === undefined) return [];
  return [{ name: 'dns', value: captured ? 'answered by ztunnel, or handed on by it' : 'left alone' }];
}

function certificateFact(pod: DumpedWorkload, facts: MeshFacts): Fact {
  const ztunnel = facts.ztunnels.get(pod.node);
  const held = ztunnel?.certificates.find(c => c.identity === pod.identity);
  const leaf = held?.chain.find(c => c.type === 'Leaf');
  if (ztunnel === undefined)
    return { name: 'certificate', value: `not known: no ztunnel of node ${pod.node} answered` };
  if (held === undefined) return { name: 'certificate', value: 'none is asked for yet' };
  return {
    name: 'certificate',
    value:
      leaf === undefined ? `${held.state} ${held.error}`.trim() : `${held.state}, until ${leaf.notAfter}`,
  };
}

function podWarnings(pod: DumpedWorkload, isBehind: boolean): string[] {
  const warnings: string[] = [];
  if (isBehind && pod.waypoint === 'None')
    warnings.push(
      'connections to its own address pass no waypoint: L7 policies do not hold for them; refuse others than the waypoint with an ALLOW policy of its identity',
    );
  if (pod.status !== 'healthy') warnings.push('it is not healthy: services send nothing to it');
  return warnings;
}
