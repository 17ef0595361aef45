import { keyOf, type KubeObject } from '../source/kube-object.ts';
import { backendPolicies } from '../index/backend-policies.ts';
import type { MeshIndex } from '../index/mesh-index.ts';
import type { MeshObjects } from '../index/mesh-objects.ts';
import type { Entry } from '../index/parsed-kind.ts';
import type { Diagnostic } from '../translate/diagnostic.ts';
import { backendPolicyAncestors } from './backend-policy-status.ts';
import { backendTlsStatuses } from './backend-tls-status.ts';
import type { Condition } from './condition.ts';
import { isTrue } from './condition.ts';
import type { DesiredStatus } from './desired-status.ts';
import { gatewayStatus } from './gateway-status.ts';
import {
  authorizationStatus,
  plainStatus,
  WAYPOINT_ACCEPTED,
  waypointPolicyStatus,
  ZTUNNEL_ACCEPTED,
  ztunnelPolicyStatus,
} from './policy-status.ts';
import { rateLimitHolders, rateLimitStatus } from './rate-limit-status.ts';
import { routeParents, routesByWaypoint } from './route-status.ts';
import { WAYPOINT_BOUND, waypointBound } from './waypoint-bound.ts';

/** Kinds whose whole status is whether they are used. */
const PLAIN_KINDS = [
  'VirtualService',
  'DestinationRule',
  'ServiceProfile',
  'ServiceIntentions',
  'ServiceRouter',
  'ServiceSplitter',
  'ServiceResolver',
] as const;

/** What every object's status should say, by key. A pure function of the index. */
export function computeStatuses(index: MeshIndex): ReadonlyMap<string, DesiredStatus> {
  const { objects } = index;
  const found: Found = new Map(index.statuses().map(({ diagnostics, key }) => [key, diagnostics]));
  const statuses = [
    ...gatewayStatuses(index),
    ...routeStatuses(index),
    ...serviceStatuses(objects),
    ...policyStatuses(objects, found),
    ...backendPolicyStatuses(objects),
    ...backendTlsStatuses(index),
    ...rateLimitStatuses(index, found),
    ...plainStatuses(objects, found),
    ...entryStatuses(objects, found),
  ];
  return new Map(statuses.map(status => [keyOf(status.object), status]));
}

/** What was found when objects were put together, by key. */
type Found = ReadonlyMap<string, readonly Diagnostic[]>;

function* gatewayStatuses(index: MeshIndex): Iterable<DesiredStatus> {
  const { objects } = index;
  const routes = routesByWaypoint(objects);
  const failureOf = (key: string): string | undefined => index.waypointFailure(key);
  for (const { object } of objects.gatewayClasses.all()) {
    if (objects.isOwnClass(object.metadata.name))
      yield conditionsOf(object, [isTrue('Accepted', 'Accepted')], ['Accepted']);
  }
  for (const entry of objects.gateways.entries()) {
    const status = gatewayStatus(entry, { objects, failureOf, routes });
    if (status !== undefined) yield status;
  }
}

function* routeStatuses(index: MeshIndex): Iterable<DesiredStatus> {
  const { objects } = index;
  const conflicts = index.conflicts();
  for (const kind of objects.gatewayRoutes()) {
    for (const entry of kind.entries())
      yield { kind: 'route', object: entry.latest, parents: routeParents(entry, objects, conflicts) };
  }
}

function* serviceStatuses(objects: MeshObjects): Iterable<DesiredStatus> {
  for (const { latest } of objects.services.entries()) {
    const bound = waypointBound(latest, objects);
    yield conditionsOf(latest, bound === undefined ? [] : [bound], [WAYPOINT_BOUND]);
  }
}

/** Policies that are enforced by ztunnels, waypoints, or both. */
function* policyStatuses(objects: MeshObjects, found: Found): Iterable<DesiredStatus> {
  const owned = [ZTUNNEL_ACCEPTED, WAYPOINT_ACCEPTED];
  for (const entry of objects.authorizationPolicies.entries())
    yield conditionsOf(entry.latest, authorizationStatus(entry, objects), owned);
  for (const entry of objects.peerAuthentications.entries())
    yield conditionsOf(entry.latest, ztunnelPolicyStatus(entry), owned);
  for (const kind of [objects.requestAuthentications, objects.telemetries]) {
    for (const entry of kind.entries()) {
      const conditions = waypointPolicyStatus(entry, objects, found.get(keyOf(entry.latest)));
      yield conditionsOf(entry.latest, conditions, owned);
    }
  }
}

function* backendPolicyStatuses(objects: MeshObjects): Iterable<DesiredStatus> {
  const holding = backendPolicies(objects);
  for (const entry of objects.backendTrafficPolicies.entries()) {
    const ancestors = backendPolicyAncestors(entry, objects, holding);
    yield { kind: 'policy', object: entry.latest, ancestors };
  }
}

function* rateLimitStatuses(index: MeshIndex, found: Found): Iterable<DesiredStatus> {
  const holders = rateLimitHolders(index);
  for (const entry of index.objects.linkerd.rateLimitPolicies.entries())
    yield rateLimitStatus(entry, index, holders, found.get(keyOf(entry.latest)) ?? entry.diagnostics);
}

function* plainStatuses(objects: MeshObjects, found: Found): Iterable<DesiredStatus> {
  for (const name of PLAIN_KINDS) {
    for (const entry of objects.ofKind(name)?.entries() ?? [])
      yield conditionsOf(entry.latest, plainConditions(entry, found), ['Accepted']);
  }
}

/** ServiceEntry and WorkloadEntry: whether they are used, and by which waypoint. */
function* entryStatuses(objects: MeshObjects, found: Found): Iterable<DesiredStatus> {
  for (const [kind, traffic] of [
    [objects.serviceEntries, 'service'],
    [objects.workloadEntries, 'workload'],
  ] as const) {
    for (const entry of kind.entries()) {
      const bound = waypointBound(entry.latest, objects, traffic);
      const conditions = [...plainConditions(entry, found), ...(bound ? [bound] : [])];
      yield conditionsOf(entry.latest, conditions, ['Accepted', WAYPOINT_BOUND]);
    }
  }
}

function plainConditions(entry: Entry<unknown>, found: Found): readonly Condition[] {
  return plainStatus(entry, found.get(keyOf(entry.latest)));
}

function conditionsOf(
  object: KubeObject,
  conditions: readonly Condition[],
  owned: readonly string[],
): DesiredStatus {
  return { kind: 'conditions', object, conditions, owned };
}
