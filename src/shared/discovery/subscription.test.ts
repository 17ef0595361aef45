import { test } from 'tap';
import type { DeltaResource, DeltaResponse } from './delta-message.ts';
import { DeltaSubscription, MAX_ON_DEMAND_NAMES } from './subscription.ts';

const TYPE = 'type.googleapis.com/test';
const NODE = { id: 'ztunnel~1', metadata: {} };
const accept = (): undefined => undefined;

function resource(name: string, version: string): DeltaResource {
  return { name, version, aliases: [], typeUrl: TYPE, value: new Uint8Array() };
}

function response(fields: Partial<DeltaResponse>): DeltaResponse {
  return {
    typeUrl: TYPE,
    nonce: 'n',
    systemVersion: '',
    resources: [],
    removed: [],
    moreFollows: false,
    ...fields,
  };
}

test('a wildcard subscription names nothing, and says who asks', t => {
  const request = new DeltaSubscription(TYPE, 'wildcard').open(NODE);
  t.same(request?.subscribe, []);
  t.equal(request?.node, NODE);
  t.equal(request?.nonce, '');
  t.end();
});

test('an on-demand subscription waits for its first name: an empty list would mean everything', t => {
  const subscription = new DeltaSubscription(TYPE, 'on_demand');
  t.equal(subscription.open(NODE), undefined);
  t.equal(subscription.subscribe('/10.0.0.1'), undefined, 'no stream of this type yet');
  t.same(subscription.open(NODE)?.subscribe, ['/10.0.0.1']);
  t.same(subscription.subscribe('/10.0.0.2')?.subscribe, ['/10.0.0.2']);
  t.equal(subscription.subscribe('/10.0.0.2'), undefined, 'once is enough');
  t.same(subscription.unsubscribe('/10.0.0.2')?.unsubscribe, ['/10.0.0.2']);
  subscription.close();
  t.same(subscription.open(NODE)?.subscribe, ['/10.0.0.1'], 'a reconnect asks again for what is wanted');
  t.end();
});

test('names beside a wildcard say both', t => {
  const subscription = new DeltaSubscription(TYPE, 'wildcard');
  subscription.subscribe('/10.0.0.1');
  t.same(subscription.open(NODE)?.subscribe, ['*', '/10.0.0.1']);
  t.end();
});

test('an accepted response is acknowledged and known', t => {
  const subscription = new DeltaSubscription(TYPE, 'wildcard');
  const received = subscription.receive(response({ nonce: '7', resources: [resource('a', '1')] }), accept);
  t.equal(received.reply.nonce, '7');
  t.equal(received.reply.error, undefined);
  t.same([...subscription.known], [['a', '1']]);
  t.ok(subscription.synced);
  t.end();
});

test('a part of a state does not make it synced', t => {
  const subscription = new DeltaSubscription(TYPE, 'wildcard');
  subscription.receive(response({ resources: [resource('a', '1')], moreFollows: true }), accept);
  t.notOk(subscription.synced);
  subscription.receive(response({ resources: [resource('b', '1')] }), accept);
  t.ok(subscription.synced);
  t.end();
});

test('a bad resource costs only itself, and its last good version stays known', t => {
  const subscription = new DeltaSubscription(TYPE, 'wildcard');
  subscription.receive(response({ resources: [resource('a', '1')] }), accept);
  const resources = [resource('a', '2'), resource('b', '1'), resource('c', '1')];
  const received = subscription.receive(response({ nonce: '2', resources }), r =>
    r.name === 'b' ? undefined : 'bad',
  );
  t.equal(received.reply.nonce, '2');
  t.same(received.reply.error, { code: 3, message: 'a: bad; c: bad' });
  t.same(
    received.accepted.map(r => r.name),
    ['b'],
  );
  t.same(
    [...(subscription.open(NODE)?.initialVersions ?? [])],
    [
      ['a', '1'],
      ['b', '1'],
    ],
    'c is not known',
  );
  t.same([...subscription.rejected.keys()], ['a', 'c']);
  subscription.receive(response({ resources: [resource('a', '3')], removed: ['c'] }), accept);
  t.equal(subscription.rejected.size, 0, 'a good version or a removal ends a rejection');
  t.end();
});

test('what is removed is not known any more', t => {
  const subscription = new DeltaSubscription(TYPE, 'wildcard');
  subscription.restore([
    ['a', '1'],
    ['b', '2'],
  ]);
  subscription.receive(response({ removed: ['a'] }), accept);
  t.same([...(subscription.open(undefined)?.initialVersions ?? [])], [['b', '2']]);
  t.end();
});

test('reasons are cut when many resources are bad for one cause', t => {
  const resources = Array.from({ length: 12 }, (_, i) => resource(`r${i}`, '1'));
  const received = new DeltaSubscription(TYPE, 'wildcard').receive(response({ resources }), () => 'bad');
  t.match(received.reply.error?.message, /r9: bad; and 2 more$/);
  t.end();
});

test('names asked for are bounded', t => {
  const subscription = new DeltaSubscription(TYPE, 'on_demand');
  for (let i = 0; i <= MAX_ON_DEMAND_NAMES; i++) subscription.subscribe(`/${i}`);
  t.equal(subscription.open(NODE)?.subscribe.length, MAX_ON_DEMAND_NAMES);
  t.end();
});
