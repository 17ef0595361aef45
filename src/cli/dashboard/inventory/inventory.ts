import type { PodRow } from '#shared/dashboard/frames.ts';
import type { DumpedService, DumpedWorkload } from '../../config-dump.ts';
import { shortName } from '../../describe/hops.ts';

/** What there is: services and workloads as ztunnels know them. */
export interface Inventory {
  /** By `<namespace>/<name>`. */
  readonly services: ReadonlyMap<string, KnownService>;
  /** By `<namespace>/<name>` of the workload: the Deployment of a pod, or the pod where it stands alone. */
  readonly workloads: ReadonlyMap<string, KnownWorkload>;
  /** `<namespace>/<pod>` → the waypoint it is a pod of. */
  readonly waypointOfPod: ReadonlyMap<string, string>;
  /** SPIFFE id → the waypoint that proves it. */
  readonly waypointOfIdentity: ReadonlyMap<string, string>;
}

export interface KnownService {
  readonly namespace: string;
  readonly name: string;
  readonly hostname: string;
  readonly addresses: readonly string[];
  /** `shop/waypoint`, or empty. */
  readonly waypoint: string;
  readonly isWaypoint: boolean;
  readonly pods: readonly PodRow[];
}

export interface KnownWorkload {
  readonly namespace: string;
  readonly name: string;
  readonly pods: readonly PodRow[];
  readonly identity: string;
  /** Of them it is an endpoint, in order; waypoints are none. */
  readonly services: readonly string[];
  readonly waypoint: string;
  /** The waypoint that its pods are, or empty. */
  readonly isWaypointOf: string;
}

export const NO_INVENTORY: Inventory = buildInventory([], [], []);

export const MESHED = 'HBONE';

/**
 * Pure.
 * @param waypoints `<namespace>/<name>` of those that the controller knows; those that something asks for are found besides
 */
export function buildInventory(
  workloads: readonly DumpedWorkload[],
  services: readonly DumpedService[],
  waypoints: readonly string[],
): Inventory {
  const nameOf = new Map(services.map(s => [`${s.namespace}/${s.hostname}`, `${s.namespace}/${s.name}`]));
  const short = (key: string): string => nameOf.get(key) ?? shortName(key);
  const asked = [...services, ...workloads].filter(o => o.waypoint !== 'None').map(o => short(o.waypoint));
  const waypointNames = new Set([...waypoints, ...asked]);
  const members = new Map<string, PodRow[]>();
  const groups = new Map<string, DumpedWorkload[]>();
  for (const w of workloads) {
    for (const key of w.serviceNames) append(members, short(key), podRow(w));
    append(groups, workloadKey(w), w);
  }
  const known = new Map([...groups].map(([key, group]) => [key, workloadOf(group, short, waypointNames)]));
  const ofWaypoints = [...known.values()].filter(w => w.isWaypointOf !== '');
  return {
    services: new Map(
      services.map(s => {
        const key = `${s.namespace}/${s.name}`;
        const pods = members.get(key) ?? [];
        return [key, serviceOf(s, pods, short, waypointNames.has(key))];
      }),
    ),
    workloads: known,
    waypointOfPod: new Map(
      ofWaypoints.flatMap(w => w.pods.map(pod => [`${w.namespace}/${pod.name}`, w.isWaypointOf] as const)),
    ),
    waypointOfIdentity: new Map(ofWaypoints.map(w => [w.identity, w.isWaypointOf])),
  };
}

export function workloadKey(w: DumpedWorkload): string {
  return `${w.namespace}/${w.workloadName || w.name}`;
}

function serviceOf(
  s: DumpedService,
  pods: readonly PodRow[],
  short: (key: string) => string,
  isWaypoint: boolean,
): KnownService {
  return {
    namespace: s.namespace,
    name: s.name,
    hostname: s.hostname,
    addresses: s.vips,
    waypoint: s.waypoint === 'None' ? '' : short(s.waypoint),
    isWaypoint,
    pods,
  };
}

function workloadOf(
  group: readonly DumpedWorkload[],
  short: (key: string) => string,
  waypointNames: ReadonlySet<string>,
): KnownWorkload {
  const [first] = group;
  const services = [...new Set(group.flatMap(w => w.serviceNames.map(short)))].sort();
  const waypoint = group.find(w => w.waypoint !== 'None')?.waypoint;
  return {
    namespace: first?.namespace ?? '',
    name: first?.workloadName || (first?.name ?? ''),
    pods: group.map(podRow).sort((a, b) => (a.name < b.name ? -1 : 1)),
    identity: first?.identity ?? '',
    services: services.filter(name => !waypointNames.has(name)),
    waypoint: waypoint === undefined ? '' : short(waypoint),
    isWaypointOf: services.find(name => waypointNames.has(name)) ?? '',
  };
}

function podRow(w: DumpedWorkload): PodRow {
  return {
    name: w.name,
    node: w.node,
    addresses: w.addresses,
    healthy: w.status !== 'unhealthy',
    protocol: w.protocol,
  };
}

function append<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
