import { keyOf, type KubeObject } from '../source/kube-object.ts';
import { backendPolicies } from '../index/backend-policies.ts';
import type { MeshIndex } from '../index/mesh-index.ts';
import type { MeshObjects } from '../index/mesh-objects.ts';
import type { Entry } from '../index/parsed-kind.ts';
import { backendPolicyAncestors } from './backend-policy-status.ts';
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
  const desired = new Map<string, DesiredStatus>();
  const add = (status: DesiredStatus | undefined): void => {
    if (status !== undefined) desired.set(keyOf(status.object), status);
  };
  const routes = routesByWaypoint(objects);
  const failureOf = (key: string): string | undefined => index.waypointFailure(key);
  for (const { object } of objects.gatewayClasses.all()) add(classStatus(object, objects));
  for (const entry of objects.gateways.entries()) add(gatewayStatus(entry, { objects, failureOf, routes }));
  const conflicts = index.conflicts();
  for (const kind of objects.gatewayRoutes()) {
    for (const entry of kind.entries())
      add({ kind: 'route', object: entry.latest, parents: routeParents(entry, objects, conflicts) });
  }
  for (const { latest } of objects.services.entries()) {
    const bound = waypointBound(latest, objects);
    add(conditionsOf(latest, bound === undefined ? [] : [bound], [WAYPOINT_BOUND]));
  }
  const policies = [ZTUNNEL_ACCEPTED, WAYPOINT_ACCEPTED];
  for (const entry of objects.authorizationPolicies.entries())
    add(conditionsOf(entry.latest, authorizationStatus(entry, objects), policies));
  for (const entry of objects.peerAuthentications.entries())
    add(conditionsOf(entry.latest, ztunnelPolicyStatus(entry), policies));
  const holding = backendPolicies(objects);
  for (const entry of objects.backendTrafficPolicies.entries()) {
    const ancestors = backendPolicyAncestors(entry, objects, holding);
    add({ kind: 'policy', object: entry.latest, ancestors });
  }
  const found = new Map(index.statuses().map(({ diagnostics, key }) => [key, diagnostics] as const));
  for (const kind of [objects.requestAuthentications, objects.telemetries]) {
    for (const entry of kind.entries()) {
      const conditions = waypointPolicyStatus(entry, objects, found.get(keyOf(entry.latest)));
      add(conditionsOf(entry.latest, conditions, policies));
    }
  }
  const plain = (entry: Entry<unknown>): readonly Condition[] =>
    plainStatus(entry, found.get(keyOf(entry.latest)));
  const holders = rateLimitHolders(index);
  for (const entry of objects.rateLimitPolicies.entries())
    add(rateLimitStatus(entry, index, holders, found.get(keyOf(entry.latest)) ?? entry.diagnostics));
  for (const name of PLAIN_KINDS) {
    for (const entry of objects.ofKind(name)?.entries() ?? [])
      add(conditionsOf(entry.latest, plain(entry), ['Accepted']));
  }
  for (const [kind, traffic] of [
    [objects.serviceEntries, 'service'],
    [objects.workloadEntries, 'workload'],
  ] as const) {
    for (const entry of kind.entries()) {
      const bound = waypointBound(entry.latest, objects, traffic);
      add(conditionsOf(entry.latest, [...plain(entry), ...(bound ? [bound] : [])], BOUND_KIND));
    }
  }
  return desired;
}

const BOUND_KIND = ['Accepted', WAYPOINT_BOUND];

function conditionsOf(
  object: KubeObject,
  conditions: readonly Condition[],
  owned: readonly string[],
): DesiredStatus {
  return { kind: 'conditions', object, conditions, owned };
}

function classStatus(object: KubeObject, objects: MeshObjects): DesiredStatus | undefined {
  if (!objects.isOwnClass(object.metadata.name)) return undefined;
  return conditionsOf(object, [isTrue('Accepted', 'Accepted')], ['Accepted']);
}
