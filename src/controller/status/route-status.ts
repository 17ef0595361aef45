import type { JsonObject } from '#shared/config/json.ts';
import { meshKindOf, type ParentOutcome, type ParentRef } from '../translate/gateway-route/parent-ref.ts';
import type { RefFault, RouteTranslation } from '../translate/gateway-route/route-translation.ts';
import { numberAt, objectAt, objectsAt, textAt } from '../translate/loose-fields.ts';
import type { MeshObjects } from '../index/mesh-objects.ts';
import type { Entry } from '../index/parsed-kind.ts';
import type { RouteConflict } from '../index/route-binding.ts';
import { type Condition, isFalse, isTrue, messageOf } from './condition.ts';
import type { DesiredParent } from './desired-status.ts';
import { acceptedByServer, isServer } from './server-parent.ts';
import { waypointsOf } from '../index/waypoint-of-service.ts';

/**
 * `status.parents` of a Gateway API route: one entry for each parent that is ours to answer for: Services, ServiceEntries, Servers
 * of Linkerd and waypoints.
 * A rejected route is not Accepted by any, whatever of it is still in force.
 */
export function routeParents(
  entry: Entry<RouteTranslation>,
  objects: MeshObjects,
  conflicts: readonly RouteConflict[],
): readonly DesiredParent[] {
  const route = entry.latest;
  const parents: DesiredParent[] = [];
  for (const parentRef of objectsAt(objectAt(route.spec), 'parentRefs')) {
    const ref = refOf(parentRef);
    const ofServer = isServer(ref) ? acceptedByServer(route, ref.name, objects) : undefined;
    const accepted = ofServer ?? acceptedBy(entry, ref, objects, conflicts);
    // Backends are nothing to a Server.
    const resolved = ofServer === undefined ? resolvedRefs(entry) : isTrue('ResolvedRefs', 'ResolvedRefs');
    if (accepted !== undefined)
      parents.push({ parentRef: written(parentRef), conditions: [accepted, resolved] });
  }
  return parents;
}

/** Undefined for a parent that somebody else answers for. */
function acceptedBy(
  entry: Entry<RouteTranslation>,
  ref: ParentRef,
  objects: MeshObjects,
  conflicts: readonly RouteConflict[],
): Condition | undefined {
  const { kind, metadata } = entry.latest;
  const namespace = ref.namespace ?? metadata.namespace;
  if (meshKindOf(ref) === undefined) {
    if (ref.kind !== 'Gateway' || objects.waypoint(namespace, ref.name) === undefined) return undefined;
    const fix = 'name the Service as the parent, with group "" and kind Service';
    const message = `a waypoint has no listener that routes attach to; ${fix}`;
    return isFalse('Accepted', 'NotAllowedByListeners', message);
  }
  if (!entry.accepted) return rejected(entry);
  const outcome = entry.good?.value.parents.find(parent => isSameRef(parent.ref, ref));
  if (outcome === undefined) return isFalse('Accepted', 'NoMatchingParent', 'the parent is nothing we know');
  if (outcome.reason !== 'Accepted') return isFalse('Accepted', outcome.reason, outcome.message);
  const key = `${kind}/${metadata.namespace}/${metadata.name}`;
  const own = conflicts.filter(
    conflict =>
      conflict.route === key &&
      outcome.services.some(({ key: service }) => conflict.service === service) &&
      (outcome.port === undefined || conflict.ports.includes(outcome.port)),
  );
  return acceptedOrConflicted(entry, outcome, own, namespace, objects);
}

function acceptedOrConflicted(
  { diagnostics, good }: Entry<RouteTranslation>,
  outcome: ParentOutcome & { readonly reason: 'Accepted' },
  conflicts: readonly RouteConflict[],
  namespace: string,
  objects: MeshObjects,
): Condition {
  const notes = conflicts.map(
    ({ ports, winner }) =>
      `on ${ports.length > 1 ? 'ports' : 'port'} ${ports.join(', ')} a ${winner} is applied instead`,
  );
  if (outcome.services.some(({ key }) => nothingLeft(good, outcome, key, conflicts)))
    return isFalse('Accepted', 'Conflicted', `${notes.join('; ')}; attach one kind of route to a port`);
  notes.push(...pastTheRoute(outcome, namespace, objects));
  const ignored = diagnostics.filter(({ field }) => !/(backendRefs|parentRefs)\[/.test(field));
  if (ignored.length > 0) notes.push(messageOf(ignored));
  return isTrue('Accepted', 'Accepted', notes.join('; '));
}

/** A parent may have an attachment for each of its ports: that one of them is taken leaves the others. */
function nothingLeft(
  good: Entry<RouteTranslation>['good'],
  { port }: ParentOutcome & { readonly reason: 'Accepted' },
  service: string,
  conflicts: readonly RouteConflict[],
): boolean {
  const attachments = good?.value.attachments.filter(
    one => one.service === service && (port === undefined || one.port === port),
  );
  const taken = conflicts.filter(conflict => conflict.service === service && conflict.whole);
  return taken.length > 0 && taken.length >= (attachments?.length ?? 0);
}

/** Why no request comes by. @param namespace of the parent */
function pastTheRoute(
  { ref, services }: ParentOutcome & { readonly reason: 'Accepted' },
  namespace: string,
  objects: MeshObjects,
): readonly string[] {
  const kind = meshKindOf(ref);
  const shown = `${kind} ${namespace}/${ref.name}`;
  // Hosts of entries are given addresses.
  if (kind === 'Service' && services.some(({ headless }) => headless))
    return [`${shown} is headless: requests go to its pods, past this route`];
  if (waypointsOfParent(objects, ref, namespace).length > 0) return [];
  return [`${shown} uses no waypoint, so the route has no effect; label it istio.io/use-waypoint`];
}

function waypointsOfParent(objects: MeshObjects, ref: ParentRef, namespace: string): readonly string[] {
  const kind = meshKindOf(ref) === 'ServiceEntry' ? objects.serviceEntries : objects.services;
  return waypointsOf(objects, kind.get(namespace, ref.name)?.object);
}

function rejected({ diagnostics, good }: Entry<RouteTranslation>): Condition {
  const incompatible = diagnostics.some(({ message }) => message.includes('both a RequestRedirect'));
  const kept = good === undefined ? '' : '\nThe last good version of it is in force.';
  const reason = incompatible ? 'IncompatibleFilters' : 'UnsupportedValue';
  return isFalse('Accepted', reason, messageOf(diagnostics) + kept);
}

/** Of what is in force. */
function resolvedRefs({ good }: Entry<RouteTranslation>): Condition {
  const faults: readonly RefFault[] = good?.value.faults ?? [];
  const [first] = faults;
  if (first === undefined) return isTrue('ResolvedRefs', 'ResolvedRefs');
  const message = faults.map(({ field, message: what }) => `${field}: ${what}`).join('\n');
  return isFalse('ResolvedRefs', first.reason, message);
}

function refOf(parentRef: JsonObject): ParentRef {
  return {
    group: typeof parentRef['group'] === 'string' ? parentRef['group'] : 'gateway.networking.k8s.io',
    kind: textAt(parentRef, 'kind') ?? 'Gateway',
    namespace: textAt(parentRef, 'namespace'),
    name: textAt(parentRef, 'name') ?? '',
    sectionName: textAt(parentRef, 'sectionName'),
    port: numberAt(parentRef, 'port'),
  };
}

function isSameRef(a: ParentRef, b: ParentRef): boolean {
  return (
    a.group === b.group &&
    a.kind === b.kind &&
    a.namespace === b.namespace &&
    a.name === b.name &&
    a.sectionName === b.sectionName &&
    a.port === b.port
  );
}

/** The fields that make a reference, and nothing else that may stand there. */
function written(parentRef: JsonObject): JsonObject {
  const fields = ['group', 'kind', 'namespace', 'name', 'sectionName', 'port'];
  return Object.fromEntries(
    fields.filter(field => parentRef[field] !== undefined).map(field => [field, parentRef[field]]),
  );
}

/** How many routes each waypoint serves: attached to Services that use it, each route once. */
export function routesByWaypoint(objects: MeshObjects): ReadonlyMap<string, number> {
  const routes = new Map<string, Set<string>>();
  for (const kind of objects.gatewayRoutes()) {
    for (const { object, value } of kind.all()) {
      for (const parent of value.parents) {
        if (parent.reason !== 'Accepted') continue;
        const { ref } = parent;
        const { name } = object.metadata;
        const route = `${object.kind}/${object.metadata.namespace}/${name}`;
        for (const waypoint of waypointsOfParent(objects, ref, ref.namespace ?? object.metadata.namespace))
          routes.getOrInsertComputed(waypoint, () => new Set()).add(route);
      }
    }
  }
  return new Map([...routes].map(([waypoint, found]) => [waypoint, found.size]));
}
