import { isDeepStrictEqual } from 'node:util';
import { isJsonObject, type JsonObject } from '#shared/config/json.ts';
import { objectsAt } from '../translate/loose-fields.ts';
import { CONTROLLER_NAME } from '../translate/waypoint-gateway/waypoint.ts';
import { type Condition, mergeConditions } from './condition.ts';
import type { DesiredListener, DesiredStatus } from './desired-status.ts';

const GATEWAY_CONDITIONS = ['Accepted', 'Programmed'];
const PARENT_CONDITIONS = ['Accepted', 'ResolvedRefs'];
const LISTENER_CONDITIONS = ['Accepted', 'Programmed', 'ResolvedRefs', 'Conflicted'];

/** As the API server bounds them: where the list is full, no more are added. */
const MAX_ANCESTORS = 16;

/**
 * The fields of an object's status that have to change, and how. Undefined when everything is said already: then nothing
 * is written. What others wrote (other controllers' parents, other conditions) stays.
 *
 * @param generation of the object the statement is about
 */
export function statusChange(
  present: JsonObject,
  desired: DesiredStatus,
  generation: number,
  now: string,
): JsonObject | undefined {
  const wanted = wantedFields(present, desired, generation, now);
  const changed = Object.entries(wanted).filter(([field, value]) => !isSame(present[field], value));
  return changed.length === 0 ? undefined : Object.fromEntries(changed);
}

function wantedFields(
  present: JsonObject,
  desired: DesiredStatus,
  generation: number,
  now: string,
): JsonObject {
  switch (desired.kind) {
    case 'conditions':
      return {
        ...desired.more,
        conditions: mergeConditions(
          present['conditions'],
          desired.conditions,
          desired.owned,
          generation,
          now,
        ),
      };
    case 'route':
      return {
        parents: mergeReferrers(
          'parentRef',
          objectsAt(present, 'parents'),
          asReferrers(desired),
          generation,
          now,
        ),
      };
    case 'policy':
      return {
        ancestors: mergeReferrers(
          'ancestorRef',
          objectsAt(present, 'ancestors'),
          asReferrers(desired),
          generation,
          now,
        ).slice(0, MAX_ANCESTORS),
      };
    case 'gateway':
      return {
        conditions: mergeConditions(
          present['conditions'],
          desired.conditions,
          GATEWAY_CONDITIONS,
          generation,
          now,
        ),
        addresses: desired.addresses,
        listeners: desired.listeners.map(listener => listenerStatus(present, listener, generation, now)),
      };
  }
}

interface Referrer {
  readonly reference: JsonObject;
  readonly conditions: readonly Condition[];
}

function asReferrers(desired: DesiredStatus & { readonly kind: 'route' | 'policy' }): readonly Referrer[] {
  return desired.kind === 'route'
    ? desired.parents.map(({ conditions, parentRef }) => ({ reference: parentRef, conditions }))
    : desired.ancestors.map(({ ancestorRef, conditions }) => ({ reference: ancestorRef, conditions }));
}

/** Entries of a list that several controllers write, each about what it answers for. */
function mergeReferrers(
  field: 'parentRef' | 'ancestorRef',
  before: readonly JsonObject[],
  wanted: readonly Referrer[],
  generation: number,
  now: string,
): readonly JsonObject[] {
  const others = before.filter(entry => entry['controllerName'] !== CONTROLLER_NAME);
  const ours = wanted.map(({ conditions, reference }) => {
    const same = before.find(
      entry => entry['controllerName'] === CONTROLLER_NAME && isSameReference(entry[field], reference),
    );
    return {
      // As the API server completed it, where it did: else we would never be done.
      [field]: same?.[field] ?? reference,
      controllerName: CONTROLLER_NAME,
      conditions: mergeConditions(same?.['conditions'], conditions, PARENT_CONDITIONS, generation, now),
    };
  });
  return [...others, ...ours];
}

/** What the API server adds as a default makes no other reference. */
function isSameReference(present: unknown, wanted: JsonObject): boolean {
  if (!isJsonObject(present)) return false;
  const all = new Set([...Object.keys(present), ...Object.keys(wanted)]);
  const defaults: JsonObject = { group: 'gateway.networking.k8s.io', kind: 'Gateway' };
  return [...all].every(field => (present[field] ?? defaults[field]) === (wanted[field] ?? defaults[field]));
}

function listenerStatus(
  present: JsonObject,
  { attachedRoutes, conditions, name }: DesiredListener,
  generation: number,
  now: string,
): JsonObject {
  const before = objectsAt(present, 'listeners').find(listener => listener['name'] === name);
  return {
    name,
    supportedKinds: [],
    attachedRoutes,
    conditions: mergeConditions(before?.['conditions'], conditions, LISTENER_CONDITIONS, generation, now),
  };
}

/** Absent and an empty list say the same; order of conditions says nothing. */
function isSame(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(normal(a), normal(b));
}

function normal(value: unknown): unknown {
  if (Array.isArray(value)) {
    const items = value.map(normal);
    return items.every(item => isJsonObject(item) && 'type' in item)
      ? items.toSorted((x, y) => (JSON.stringify(x) < JSON.stringify(y) ? -1 : 1))
      : items;
  }
  if (isJsonObject(value)) {
    return Object.fromEntries(
      Object.keys(value)
        .sort()
        .map(key => [key, normal(value[key])]),
    );
  }
  return value ?? [];
}
