import { test } from 'tap';
import type { JsonObject } from '#shared/config/json.ts';
import { kubeObject } from '../testing/golden-pairs.ts';
import { objectsAt } from '../translate/loose-fields.ts';
import { type Condition, isFalse, isTrue } from './condition.ts';
import type { DesiredStatus } from './desired-status.ts';
import { statusChange } from './merge-status.ts';

const NOW = '2026-01-02T00:00:00Z';
const BEFORE = '2026-01-01T00:00:00Z';
const OBJECT = kubeObject('HTTPRoute', {});
const OURS = 'ambient.mesh/waypoint-controller';
const PARENT = { group: '', kind: 'Service', name: 'orders' };

const written = (type: string, status: string, more: JsonObject = {}): JsonObject => ({
  type,
  status,
  reason: 'R',
  message: '',
  observedGeneration: 2,
  lastTransitionTime: BEFORE,
  ...more,
});

const conditions = (...wanted: readonly Condition[]): DesiredStatus => ({
  kind: 'conditions',
  object: OBJECT,
  conditions: wanted,
  owned: ['A', 'B'],
});

test('nothing is written when everything is said already, in whatever order', async t => {
  const present = { conditions: [written('B', 'True'), written('A', 'True')] };
  t.equal(statusChange(present, conditions(isTrue('A', 'R'), isTrue('B', 'R')), 2, NOW), undefined);
  t.equal(statusChange({}, conditions(), 2, NOW), undefined, 'nor when there is nothing to say');
});

test('a condition keeps its time as long as its status stays', async t => {
  const present = { conditions: [written('A', 'True')] };
  const same = statusChange(present, conditions(isTrue('A', 'Other')), 2, NOW);
  t.match(same, { conditions: [{ reason: 'Other', lastTransitionTime: BEFORE }] });
  const other = statusChange(present, conditions(isFalse('A', 'R', '')), 2, NOW);
  t.match(other, { conditions: [{ status: 'False', lastTransitionTime: NOW }] });
});

test('a new generation is observed', async t => {
  const present = { conditions: [written('A', 'True')] };
  t.match(statusChange(present, conditions(isTrue('A', 'R')), 3, NOW), {
    conditions: [{ observedGeneration: 3 }],
  });
  const service = statusChange({}, conditions(isTrue('A', 'R')), 0, NOW);
  t.notMatch(
    JSON.stringify(service),
    'observedGeneration',
    'kinds without a generation have none to observe',
  );
});

test('conditions of others stay, ours that are not wanted go', async t => {
  const present = { conditions: [written('Theirs', 'True'), written('B', 'True')] };
  const change = statusChange(present, conditions(isTrue('A', 'R')), 2, NOW);
  const types = objectsAt(change ?? {}, 'conditions').map(({ type }) => type);
  t.same(types, ['Theirs', 'A']);
});

test('parents of other controllers stay; ours are what is wanted', async t => {
  const theirs = { parentRef: { name: 'gw' }, controllerName: 'other/controller', conditions: [] };
  const gone = { parentRef: { ...PARENT, name: 'gone' }, controllerName: OURS, conditions: [] };
  const desired: DesiredStatus = {
    kind: 'route',
    object: OBJECT,
    parents: [{ parentRef: PARENT, conditions: [isTrue('Accepted', 'Accepted')] }],
  };
  const change = statusChange({ parents: [theirs, gone] }, desired, 2, NOW);
  t.match(change, { parents: [theirs, { parentRef: PARENT, controllerName: OURS }] });
  t.equal(objectsAt(change ?? {}, 'parents').length, 2);
});

test('ancestors of a policy are merged as parents of a route are', async t => {
  const theirs = { ancestorRef: PARENT, controllerName: 'other/controller', conditions: [] };
  const ancestors = [{ ancestorRef: PARENT, conditions: [isTrue('Accepted', 'R')] }];
  const desired: DesiredStatus = { kind: 'policy', object: OBJECT, ancestors };
  const change = statusChange({ ancestors: [theirs] }, desired, 2, NOW);
  t.match(change, { ancestors: [theirs, { ancestorRef: PARENT, controllerName: OURS }] });
  const ours = { ancestorRef: PARENT, controllerName: OURS, conditions: [written('Accepted', 'True')] };
  t.equal(statusChange({ ancestors: [theirs, ours] }, desired, 2, NOW), undefined);
});

test('where the list of ancestors is full no more are added', async t => {
  const theirs = Array.from({ length: 15 }, (_, i) => ({
    ancestorRef: { name: `gateway-${i}` },
    controllerName: 'other/controller',
    conditions: [],
  }));
  const ancestors = ['a', 'b'].map(name => ({
    ancestorRef: { name },
    conditions: [isTrue('Accepted', 'R')],
  }));
  const desired: DesiredStatus = { kind: 'policy', object: OBJECT, ancestors };
  const change = statusChange({ ancestors: theirs }, desired, 2, NOW);
  t.match(change, { ancestors: [...theirs, { ancestorRef: { name: 'a' }, controllerName: OURS }] });
  t.equal(objectsAt(change ?? {}, 'ancestors').length, 16);
});

test('a reference that the API server completed is the same reference', async t => {
  const desired: DesiredStatus = {
    kind: 'route',
    object: OBJECT,
    parents: [{ parentRef: { name: 'waypoint' }, conditions: [isTrue('Accepted', 'R')] }],
  };
  const parentRef = { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'waypoint' };
  const present = {
    parents: [{ parentRef, controllerName: OURS, conditions: [written('Accepted', 'True')] }],
  };
  t.equal(statusChange(present, desired, 2, NOW), undefined);
});
