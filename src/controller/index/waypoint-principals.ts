import { GATEWAY_NAME, USE_WAYPOINT } from '../translate/mesh-labels.ts';
import { requestedWaypoint } from '../translate/waypoint-gateway/bind-waypoint.ts';
import { canaryOf } from './canary-of.ts';
import type { WaypointLabels } from './destination-policy.ts';
import type { ObjectMeta } from '../source/kube-object.ts';
import type { MeshObjects } from './mesh-objects.ts';
import type { Parsed, ParsedKind } from './parsed-kind.ts';

interface WaypointName {
  readonly namespace: string;
  readonly name: string;
}

/**
 * Identities, without `spiffe://`, of waypoints at one moment. Policies and services by the thousand ask for the same few, so
 * each is found once: make a new one when services, waypoints or their pods change.
 */
export class WaypointPrincipals {
  readonly #objects: MeshObjects;
  readonly #ofWaypoints = new Map<string, readonly string[]>();
  readonly #behind = new Map<string | undefined, readonly string[]>();

  constructor(objects: MeshObjects) {
    this.#objects = objects;
  }

  of(waypoint: WaypointName): readonly string[] {
    return foundOnce(this.#ofWaypoints, `${waypoint.namespace}/${waypoint.name}`, () => {
      const { trustDomain } = this.#objects.options.cluster;
      const accounts = [...waypointAccounts(this.#objects, waypoint)];
      return accounts.map(account => `${trustDomain}/ns/${waypoint.namespace}/sa/${account}`);
    });
  }

  /** Of all that services and workloads of a namespace (undefined: of any) are behind, sorted. */
  behind(namespace: string | undefined): readonly string[] {
    return foundOnce(this.#behind, namespace, () => {
      const waypoints = waypointsOf(this.#objects, namespace);
      return [...new Set(waypoints.flatMap(waypoint => this.of(waypoint)))].sort();
    });
  }
}

function foundOnce<K, V>(known: Map<K, V>, key: K, find: () => V): V {
  const found = known.get(key) ?? find();
  known.set(key, found);
  return found;
}

function waypointsOf(objects: MeshObjects, namespace: string | undefined): readonly WaypointName[] {
  const found = new Map<string, WaypointName>();
  for (const { labels, namespace: own } of askingFor(objects, namespace)) {
    const namespaceLabels = objects.namespaceMeta(own).labels;
    const wanted = requestedWaypoint({ labels, namespace: own, namespaceLabels });
    if (wanted === undefined || objects.waypoint(wanted.namespace, wanted.name) === undefined) continue;
    found.set(`${wanted.namespace}/${wanted.name}`, wanted);
  }
  for (const metadata of servicesAskingFor(objects, namespace)) {
    const canary = canaryOf(objects, { metadata });
    if (canary.kind === 'bound') found.set(`${canary.namespace}/${canary.name}`, canary);
  }
  return [...found.values()];
}

/** What may be behind a waypoint that leads to workloads. The hosts of most ServiceEntries are elsewhere. */
function* askingFor(
  objects: MeshObjects,
  namespace: string | undefined,
): Generator<Pick<ObjectMeta, 'labels' | 'namespace'>> {
  yield* servicesAskingFor(objects, namespace);
  for (const { value } of [
    ...inEach(objects.pods, namespace),
    ...inEach(objects.workloadEntries, namespace),
    ...inEach(objects.linkerd.externalWorkloads, namespace),
  ])
    if (value?.labels[USE_WAYPOINT] !== undefined) yield value;
  const namespaces = namespace === undefined ? objects.namespaceNames() : [namespace];
  for (const own of namespaces) yield { labels: {}, namespace: own };
}

function* servicesAskingFor(objects: MeshObjects, namespace: string | undefined): Generator<ObjectMeta> {
  for (const { object } of inEach(objects.services, namespace)) yield object.metadata;
  for (const { object, value } of inEach(objects.serviceEntries, namespace))
    if (value.services.some(({ selector }) => selector.size > 0)) yield object.metadata;
}

function inEach<T>(kind: ParsedKind<T>, namespace: string | undefined): Iterable<Parsed<T>> {
  return namespace === undefined ? kind.all() : kind.inNamespace(namespace);
}

/** Service accounts of its pods; before there are any, the one it will have. */
export function waypointAccounts(objects: MeshObjects, waypoint: WaypointName): ReadonlySet<string> {
  const accounts = new Set<string>();
  for (const { value } of objects.pods.inNamespace(waypoint.namespace)) {
    if (value?.labels[GATEWAY_NAME] === waypoint.name) accounts.add(value.serviceAccount);
  }
  return accounts.size > 0 ? accounts : new Set([waypoint.name]);
}

/** Of its pods, which are alike; before there are any, the one that each will have. */
export function waypointLabels(objects: MeshObjects, { name, namespace }: WaypointName): WaypointLabels {
  for (const { value } of objects.pods.inNamespace(namespace))
    if (value?.labels[GATEWAY_NAME] === name) return { namespace, labels: value.labels };
  return { namespace, labels: { [GATEWAY_NAME]: name } };
}
